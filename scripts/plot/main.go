// Command plot draws the accuracy and loss curves of runs from their history.csv files.
//
//	go run . -out ../../docs/simplecnn.png ../../bench/results/simplecnn-cifar100
package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"image/color"
	"log"
	"os"
	"path/filepath"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// curve is a column of history.csv with how it is drawn.
type curve struct {
	column, label string
	color         color.RGBA
	dashed        bool
	scale         float64
}

var (
	blue   = color.RGBA{R: 0x1f, G: 0x6f, B: 0xb4, A: 0xff}
	orange = color.RGBA{R: 0xe0, G: 0x6c, B: 0x10, A: 0xff}
)

func main() {
	log.SetFlags(0)
	out := flag.String("out", "run.png", "PNG file to write")
	title := flag.String("title", "", "title of the picture")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: plot -out FILE.png FOLDER, where FOLDER holds history.csv")
	}
	rows, err := read(filepath.Join(flag.Arg(0), "history.csv"))
	if err != nil {
		log.Fatal(err)
	}
	accuracy, err := panel(rows, *title, "accuracy, %", []curve{
		{"top5", "training top-5", orange, true, 100}, {"val_top5", "validation top-5", orange, false, 100},
		{"top1", "training top-1", blue, true, 100}, {"val_top1", "validation top-1", blue, false, 100}})
	if err != nil {
		log.Fatal(err)
	}
	accuracy.Y.Min = 0
	loss, err := panel(rows, "", "loss", []curve{{"loss", "training", blue, true, 1}, {"val_loss", "validation", blue, false, 1}})
	if err != nil {
		log.Fatal(err)
	}
	if err := save(*out, accuracy, loss); err != nil {
		log.Fatal(err)
	}
}

// read returns the rows of a CSV file by column name.
func read(path string) ([]map[string]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(lines) < 2 {
		return nil, fmt.Errorf("%s has no finished epoch", path)
	}
	var rows []map[string]float64
	for _, line := range lines[1:] {
		row := map[string]float64{}
		for i, name := range lines[0] {
			if v, err := strconv.ParseFloat(line[i], 64); err == nil {
				row[name] = v
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func panel(rows []map[string]float64, title, label string, curves []curve) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text, p.Y.Label.Text = "epoch", label
	p.Add(plotter.NewGrid())
	p.Legend.Top, p.Legend.Left = label == "loss", false
	for _, c := range curves {
		var points plotter.XYs
		for _, row := range rows {
			points = append(points, plotter.XY{X: row["epoch"], Y: c.scale * row[c.column]})
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = c.color, vg.Points(1.8)
		if c.dashed {
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		}
		p.Add(line)
		p.Legend.Add(c.label, line)
	}
	return p, nil
}

// save draws the panels side by side.
func save(path string, panels ...*plot.Plot) error {
	img := vgimg.NewWith(vgimg.UseWH(22*vg.Centimeter, 8*vg.Centimeter), vgimg.UseDPI(110))
	tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: 4 * vg.Millimeter, PadTop: 2 * vg.Millimeter, PadBottom: 2 * vg.Millimeter,
		PadLeft: 2 * vg.Millimeter, PadRight: 2 * vg.Millimeter}
	canvases := plot.Align([][]*plot.Plot{panels}, tiles, draw.New(img))
	for i, p := range panels {
		p.Draw(canvases[0][i])
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

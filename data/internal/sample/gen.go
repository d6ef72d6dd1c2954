//go:build ignore

// This program makes the four embedded files out of the complete Fashion-MNIST:
//
//	go run gen.go FOLDER
//
// FOLDER holds the authors' idx files, compressed or not. It takes, in file order, the first 500 images of each of
// the ten classes from the training set and the first 100 of each from the test set, so that its output is the same for
// everyone.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
)

const classes = 10

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go run gen.go FOLDER-OF-FASHION-MNIST")
	}
	for _, s := range []struct {
		from, to string
		perClass int
	}{{"train", "train", 500}, {"t10k", "test", 100}} {
		images := read(filepath.Join(os.Args[1], s.from+"-images-idx3-ubyte"), 0x803)
		labels := read(filepath.Join(os.Args[1], s.from+"-labels-idx1-ubyte"), 0x801)
		n, h, w := be(images, 4), be(images, 8), be(images, 12)
		if len(images) != 16+n*h*w || len(labels) != 8+n {
			log.Fatalf("%s: %d images of %d×%d do not fit files of %d and %d bytes", s.from, n, h, w, len(images), len(labels))
		}
		var pixels, kept []byte
		var taken [classes]int
		for i := range n {
			label := labels[8+i]
			if taken[label] == s.perClass {
				continue
			}
			taken[label]++
			kept = append(kept, label)
			pixels = append(pixels, images[16+i*h*w:16+(i+1)*h*w]...)
		}
		for c, k := range taken {
			if k != s.perClass {
				log.Fatalf("%s: class %d has %d images, %d wanted", s.from, c, k, s.perClass)
			}
		}
		write(s.to+"-images-idx3-ubyte.gz", header(0x803, len(kept), h, w), pixels)
		write(s.to+"-labels-idx1-ubyte.gz", header(0x801, len(kept)), kept)
	}
}

// read returns the content of an idx file, from name or name.gz, after checking its magic number.
func read(name string, magic int) []byte {
	content, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		content, err = os.ReadFile(name + ".gz")
	}
	check(err)
	if bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(content))
		check(err)
		content, err = io.ReadAll(z)
		check(err)
	}
	if len(content) < 16 || be(content, 0) != magic {
		log.Fatalf("%s is not an idx file with magic number %#x", name, magic)
	}
	return content
}

func be(b []byte, at int) int { return int(binary.BigEndian.Uint32(b[at:])) }

func header(values ...int) (h []byte) {
	for _, v := range values {
		h = binary.BigEndian.AppendUint32(h, uint32(v))
	}
	return h
}

func write(name string, parts ...[]byte) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	check(err)
	for _, p := range parts {
		_, err := z.Write(p)
		check(err)
	}
	check(z.Close())
	check(os.WriteFile(name, b.Bytes(), 0o644))
	fmt.Printf("%-28s %9d bytes\n", name, b.Len())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

package data

import "math"

// Summary is what there is to know about a data set at a glance.
type Summary struct {
	Name     string
	Images   int
	Shape    [3]int   // height, width, channels
	Classes  []string // names
	PerClass []int    // images of each class
	// Mean, Std, Min and Max are empty for pictures in files, which are not looked at. Mean and Std are those of all pixels of each channel on the scale 0–1 (population standard deviation); they are
	// computed from exact counts and do not depend on the order of the images.
	Mean, Std []float64
	Min, Max  []byte // least and greatest value of each channel
}

// Describe counts ds, which must be valid (Dataset.Validate). For an empty or nil set the numbers are zero.
func Describe(ds *Dataset) Summary {
	if ds == nil {
		return Summary{}
	}
	channels := ds.Shape[2]
	s := Summary{
		Name: ds.Name, Images: ds.Len(), Shape: ds.Shape, Classes: ds.Classes, PerClass: make([]int, len(ds.Classes)),
		Mean: make([]float64, channels), Std: make([]float64, channels), Min: make([]byte, channels), Max: make([]byte, channels),
	}
	for _, l := range ds.Labels {
		s.PerClass[l]++
	}
	if ds.Files != nil {
		s.Mean, s.Std, s.Min, s.Max = nil, nil, nil, nil
		return s
	}
	histogram := make([][256]uint64, channels)
	for at := 0; at+channels <= len(ds.Images); at += channels {
		for c, v := range ds.Images[at : at+channels] {
			histogram[c][v]++
		}
	}
	for c := range histogram {
		s.Mean[c], s.Std[c], s.Min[c], s.Max[c] = moments(&histogram[c])
	}
	return s
}

// moments returns the mean and standard deviation on the scale 0–1 and the range of a histogram of bytes.
func moments(h *[256]uint64) (mean, std float64, low, high byte) {
	var n, sum uint64
	for v, k := range h {
		if k == 0 {
			continue
		}
		if n == 0 {
			low = byte(v)
		}
		high = byte(v)
		n += k
		sum += uint64(v) * k
	}
	if n == 0 {
		return 0, 0, 0, 0
	}
	mean = float64(sum) / float64(n)
	var square float64
	for v, k := range h {
		d := float64(v) - mean
		square += d * d * float64(k)
	}
	return mean / 255, math.Sqrt(square/float64(n)) / 255, low, high
}

package data

import "fmt"

// Info is what is known of a data set before any of its files is read.
type Info struct {
	Name, Title, Cite string
	Shape             [3]int   // height, width, channels of an image
	Classes           []string // names, in label order
	Train, Test       int      // images
	Bytes             int64    // to download; 0 for the built-in sample
	Address           string   // where the authors offer it, "" for the sample
}

// Lookup describes the data set called name without looking for its files; it gives a prediction its class names. The
// error for a name that is not known is an *UnknownError. FolderName is an error, too: only its folder knows its classes.
func Lookup(name string) (Info, error) {
	if err := Known(name); err != nil {
		return Info{}, err
	}
	if name == FolderName {
		return Info{}, fmt.Errorf("data: what classes the set %q has is said by its folder alone; Open reads it", FolderName)
	}
	if name == SampleName {
		return Info{Name: name, Title: sampleTitle, Cite: findSet("fashion-mnist").cite, Shape: [3]int{32, 32, 3},
			Classes: fashionClasses(), Train: 5000, Test: 1000}, nil
	}
	s := findSet(name)
	i := Info{Name: s.name, Title: s.title, Cite: s.cite, Shape: s.shape, Classes: s.classes(), Bytes: s.archiveLen, Address: s.bases[0] + s.archive}
	for _, f := range s.files {
		i.Bytes += f.gzLen
		if f.role == images {
			continue // counted with the labels
		}
		if f.test {
			i.Test += f.count
		} else {
			i.Train += f.count
		}
	}
	return i, nil
}

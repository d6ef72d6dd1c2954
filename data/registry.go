package data

import (
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// SampleName is the name of the built-in data set, which needs neither files nor a network.
const SampleName = "sample"

// role is what a file holds.
type role int

const (
	records role = iota // CIFAR: labels and pixels together
	images              // idx, three axes
	labels              // idx, one axis
)

// fileSpec is one file of a data set, as its authors publish it.
type fileSpec struct {
	name  string // unpacked: "train.bin", "train-images-idx3-ubyte"
	test  bool   // belongs to the test set
	role  role
	count int    // images or labels in it
	md5   string // of the unpacked content
	// firm says that the digest is certain: a copy of ours that differs from it is damaged. Digests known from one
	// second-hand source only lead to a warning.
	firm  bool
	gzMD5 string // of name+".gz" as downloaded; "" when the set comes as one archive
	gzLen int64
}

// setSpec is one data set.
type setSpec struct {
	name, title, cite string
	layout            CIFARLayout // for files in role records
	classes           func() []string
	shape             [3]int
	files             []fileSpec
	folders           []string // names of folders in which the files usually lie, below the one the caller names
	system            []string // folders where a system package puts the files

	archive    string // file name of the archive, or ""
	archiveMD5 string
	archiveLen int64
	bases      []string // addresses to which a file's name is appended, best first
}

func (s *setSpec) isCIFAR() bool { return s.files[0].role == records }

// fileBytes is the unpacked size of f.
func (s *setSpec) fileBytes(f *fileSpec) int64 {
	switch f.role {
	case records:
		return int64(f.count) * int64(s.layout.RecordSize())
	case images:
		return 16 + int64(f.count)*int64(s.shape[0])*int64(s.shape[1])
	default:
		return 8 + int64(f.count)
	}
}

// totalBytes is the unpacked size of all files.
func (s *setSpec) totalBytes() (n int64) {
	for i := range s.files {
		n += s.fileBytes(&s.files[i])
	}
	return n
}

const cifarCite = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"

// The authors' page, at its old and its present address.
var cifarBases = []string{"https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"}

// sets is read-only. The MD5s of archives are those of the authors' page; those of unpacked files were computed from
// the files (cifar100, fashion-mnist), or are as widely published (mnist), or second-hand (cifar10).
var sets = []*setSpec{
	{
		name: "cifar10", title: "CIFAR-10", cite: cifarCite, layout: CIFAR10, classes: cifar10Classes, shape: [3]int{32, 32, 3},
		files: []fileSpec{
			{name: "data_batch_1.bin", count: 10000, md5: "5dd7e06a14cb22eb9f671a540d1b7c25"},
			{name: "data_batch_2.bin", count: 10000, md5: "5ea93a67294ea407fff1d09f752e9692"},
			{name: "data_batch_3.bin", count: 10000, md5: "942cd6a4bcdd0dd3c604fbe906cb4421"},
			{name: "data_batch_4.bin", count: 10000, md5: "ae636b3ba5c66a11e91e8cb52e771fcb"},
			{name: "data_batch_5.bin", count: 10000, md5: "53f37980c15c3d472c316c40844f3f0d"},
			{name: "test_batch.bin", test: true, count: 10000, md5: "803d5f7f4d78ea53de84dbe85f74fb6d"},
		},
		folders: []string{"cifar-10-batches-bin", "cifar10", "cifar-10"},
		archive: "cifar-10-binary.tar.gz", archiveMD5: "c32a1d4ab5d03f1284b67883e8d87530", archiveLen: 170052171, bases: cifarBases,
	},
	{
		name: "cifar100", title: "CIFAR-100", cite: cifarCite, layout: CIFAR100, classes: cifar100Classes, shape: [3]int{32, 32, 3},
		files: []fileSpec{
			{name: "train.bin", count: 50000, md5: "6172c7755cfe09b2fe270c85cebc1b15", firm: true},
			{name: "test.bin", test: true, count: 10000, md5: "4499cfba6c016c1be1438163640a0898", firm: true},
		},
		folders: []string{"cifar-100-binary", "cifar100", "cifar-100"},
		archive: "cifar-100-binary.tar.gz", archiveMD5: "03b5dce01913d631647c71ecec9e9cb8", archiveLen: 168513733, bases: cifarBases,
	},
	{
		name: "fashion-mnist", title: "Fashion-MNIST", classes: fashionClasses, shape: [3]int{28, 28, 1},
		cite: "Xiao, Rasul, Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms, 2017",
		files: []fileSpec{
			{name: "train-images-idx3-ubyte", role: images, count: 60000, md5: "f4a8712d7a061bf5bd6d2ca38dc4d50a", firm: true,
				gzMD5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d", gzLen: 26421880},
			{name: "train-labels-idx1-ubyte", role: labels, count: 60000, md5: "9018921c3c673c538a1fc5bad174d6f9", firm: true,
				gzMD5: "25c81989df183df01b3e8a0aad5dffbe", gzLen: 29515},
			{name: "t10k-images-idx3-ubyte", test: true, role: images, count: 10000, md5: "8181f5470baa50b63fa0f6fddb340f0a", firm: true,
				gzMD5: "bef4ecab320f06d8554ea6380940ec79", gzLen: 4422102},
			{name: "t10k-labels-idx1-ubyte", test: true, role: labels, count: 10000, md5: "15d484375f8d13e6eb1aabb0c3f46965", firm: true,
				gzMD5: "bb300cfdad3c16e7a12a480ee83cd310", gzLen: 5148},
		},
		folders: []string{"fashion-mnist", "fashion", "FashionMNIST/raw"},
		system:  []string{"/usr/share/datasets/fashion-mnist"}, // Debian's and Ubuntu's package dataset-fashion-mnist
		bases: []string{"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
			"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"},
	},
	{
		name: "mnist", title: "MNIST", classes: digitClasses, shape: [3]int{28, 28, 1},
		cite: "LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998",
		files: []fileSpec{
			{name: "train-images-idx3-ubyte", role: images, count: 60000, md5: "6bbc9ace898e44ae57da46a324031adb", firm: true,
				gzMD5: "f68b3c2dcbeaaa9fbdd348bbdeb94873", gzLen: 9912422},
			{name: "train-labels-idx1-ubyte", role: labels, count: 60000, md5: "a25bea736e30d166cdddb491f175f624", firm: true,
				gzMD5: "d53e105ee54ea40749a09fcbcd1e9432", gzLen: 28881},
			{name: "t10k-images-idx3-ubyte", test: true, role: images, count: 10000, md5: "2646ac647ad5339dbf082846283269ea", firm: true,
				gzMD5: "9fb629c4189551a2d022fa330f9573f3", gzLen: 1648877},
			{name: "t10k-labels-idx1-ubyte", test: true, role: labels, count: 10000, md5: "27ae3e4e09519cfbb04c329615203637", firm: true,
				gzMD5: "ec29112dd5afa0611ce80d1b7f02629c", gzLen: 4542},
		},
		folders: []string{"mnist", "MNIST/raw"},
		// The first author's own page refuses most downloads today; the first two serve its files unchanged.
		bases: []string{"https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
			"http://yann.lecun.com/exdb/mnist/"},
	},
}

// Names lists the data sets that Open knows, in alphabetical order.
func Names() []string {
	names := []string{SampleName, FolderName}
	for _, s := range sets {
		names = append(names, s.name)
	}
	slices.Sort(names)
	return names
}

// Known returns nil when Open knows the name, else an *UnknownError with the nearest name.
func Known(name string) error {
	if slices.Contains(Names(), name) {
		return nil
	}
	near := suggest.Nearest(name, Names())
	if of := strings.ToLower(name); strings.Contains(of, "imagenet") || strings.Contains(of, "imagefolder") {
		near = FolderName
	}
	return &UnknownError{Name: name, Suggestion: near}
}

func findSet(name string) *setSpec {
	for _, s := range sets {
		if s.name == name {
			return s
		}
	}
	return nil
}

// contentKnownAs names the published file whose content has this digest, "" when none has: it tells someone that the
// MNIST they point at is Fashion-MNIST.
func contentKnownAs(md5 string) string {
	for _, s := range sets {
		for i := range s.files {
			if s.files[i].md5 == md5 {
				return s.name + " " + s.files[i].name
			}
		}
	}
	return ""
}

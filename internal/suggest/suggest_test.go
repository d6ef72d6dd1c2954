package suggest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3},
		{"cifra", "cifar", 1}, {"ab", "ba", 1}, {"größe", "grösse", 2}, {"ca", "abc", 3},
	} {
		require.Equal(t, c.want, Distance(c.a, c.b), "%q %q", c.a, c.b)
		require.Equal(t, c.want, Distance(c.b, c.a), "%q %q", c.b, c.a)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"cifar10", "cifar100", "fashion-mnist", "mnist", "sample"}
	for name, want := range map[string]string{
		"cifar-100": "cifar100", "CIFAR_10": "cifar10", "cifra100": "cifar100", "minst": "mnist", "fashion": "fashion-mnist",
		"fashonmnist": "fashion-mnist", "smaple": "sample", "imagenet": "", "": "", "x": "", "--": "", "cifar1000": "cifar100",
	} {
		require.Equal(t, want, Nearest(name, names), "%q", name)
	}
	require.Empty(t, Nearest("a", []string{"b", ""}), "one letter replaced by another is no likeness")
	require.Empty(t, Nearest("abc", nil))
	require.Equal(t, "vgg16", Nearest("vgg17", []string{"vgg16", "vgg19"}))
}

func TestPhrase(t *testing.T) {
	require.Equal(t, `; did you mean "mnist"?`, Phrase("mnits", []string{"mnist"}))
	require.Empty(t, Phrase("svhn", []string{"mnist"}))
}

func TestThen(t *testing.T) {
	require.Equal(t, `; did you mean "mnist"? Known is mnist`, Then("mnits", []string{"mnist"}, "known is mnist"))
	require.Equal(t, `; did you mean "mnist"? --data names it`, Then("mnits", []string{"mnist"}, "--data names it"))
	require.Equal(t, "; known is mnist", Then("svhn", []string{"mnist"}, "known is mnist"))
	require.Equal(t, `; did you mean "mnist"? `, Then("mnits", []string{"mnist"}, ""))
}

func TestLongNames(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	require.Empty(t, Nearest(long, []string{long}))
	require.Equal(t, "relu", Nearest("rellu", []string{long, "relu"}))
}

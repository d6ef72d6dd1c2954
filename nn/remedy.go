package nn

import "fmt"

// wantChannels says what would give the input the wanted number of channels (or features).
func (s *Spec) wantChannels(n int) string {
	for at := s.sources[0].call; at != nil; {
		switch l := at.layer.(type) {
		case Input:
			return fmt.Sprintf("give %q %d channels", at.name, n)
		case channelSetter:
			if field := l.channelField(); field != "" {
				return fmt.Sprintf("set %s of %q to %d", field, at.name, n)
			}
			return ""
		}
		if _, sum := at.layer.(Add); len(at.inputs) != 1 && !sum {
			return "" // which of several inputs has the channels is not known here
		}
		at = at.inputs[0].call
	}
	return ""
}

// channelSetter is a layer whose result has another number of channels than its input.
type channelSetter interface {
	// channelField is the name of the field that sets that number, "" where there is none.
	channelField() string
}

func (l Conv1D) channelField() string          { return "Filters" }
func (l Conv3D) channelField() string          { return "Filters" }
func (l Conv2D) channelField() string          { return "Filters" }
func (l SeparableConv1D) channelField() string { return "Filters" }
func (l SeparableConv2D) channelField() string { return "Filters" }
func (l Conv1DTranspose) channelField() string { return "Filters" }
func (l Conv2DTranspose) channelField() string { return "Filters" }
func (l Dense) channelField() string           { return "Units" }
func (l DepthwiseConv1D) channelField() string { return "" }
func (l DepthwiseConv2D) channelField() string { return "" }
func (l Flatten) channelField() string         { return "" }
func (l Reshape) channelField() string         { return "" }
func (l RepeatVector) channelField() string    { return "" }
func (l Permute) channelField() string         { return "" }
func (l ChannelPadding) channelField() string  { return "" }
func (m *Model) channelField() string          { return "" }

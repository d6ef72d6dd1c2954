package ir

import "gorgonia.org/tensor"

// Im2Col lays the patches of images out as rows, channels outermost: column c·KH·KW + kh·KW + kw. Padding is zeros on both
// sides. In: x (n, c, h, w); out: y (n, oh, ow, c·KH·KW). Stock Gorgonia: im2colOp.
type Im2Col struct{ Kernel, Pad, Stride, Dilation [2]int }

// Col2Im adds patches up to images of InputShape (n, c, h, w): the gradient of Im2Col. In: dy; out: dx. Stock Gorgonia:
// col2imOp.
type Col2Im struct {
	Im2Col
	InputShape tensor.Shape
}

package nn

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// The layers of vision transformers that Keras has not: of KerasHub's, ViT's class token and PositionEmbedding.

// ClassToken puts a vector that is learned in front of every sequence (Dosovitskiy et al. 2021, after BERT). Input (None, steps, features), result
// (None, steps+1, features). Weight: token (1, 1, features). torchvision: VisionTransformer.class_token.
type ClassToken struct {
	Initializer Initializer // nil means Zeros
	Name        string
}

// PositionEmbedding adds to every sequence what is learned of each place. Input and result (None, steps, features). Weight: embeddings (1, steps,
// features). torchvision: Encoder.pos_embedding.
type PositionEmbedding struct {
	Initializer Initializer // nil means RandomNormal{Stddev: 0.02}
	Name        string
}

// Identity implements [Layer].
func (l ClassToken) Identity() (class, name string) { return "ClassToken", l.Name }

// Identity implements [Layer].
func (l PositionEmbedding) Identity() (class, name string) { return "PositionEmbedding", l.Name }

// Infer implements [Layer].
func (l ClassToken) Infer(s *Spec) (Shape, error) {
	in, err := s.sequence()
	if err != nil {
		return nil, err
	}
	s.Weight(Weight{Name: "token", Shape: []int{1, 1, in[1]}, Trainable: true, Initializer: l.Initializer})
	return Shape{in[0] + 1, in[1]}, nil
}

// Infer implements [Layer].
func (l PositionEmbedding) Infer(s *Spec) (Shape, error) {
	in, err := s.sequence()
	if err != nil {
		return nil, err
	}
	s.Weight(Weight{Name: "embeddings", Shape: []int{1, in[0], in[1]}, Trainable: true, Initializer: orDefault(l.Initializer, RandomNormal{Stddev: 0.02})})
	return in, nil
}

// sequence is the one input, which must be a sequence of vectors.
func (s *Spec) sequence() (Shape, error) {
	if in := s.Inputs[0]; len(in) == 2 {
		return in, nil
	}
	return nil, badShape("make a sequence of it, e.g. with a Reshape", "wants a sequence of vectors (None, steps, features), input is %v", s.Inputs[0])
}

// Apply implements [Layer].
func (l ClassToken) Apply(c *Context) *gorgonia.Node {
	x, token := op.Try(c.Inputs[0], c.err), op.Try(c.Weight("token"), c.err)
	if x.Err() != nil {
		return nil
	}
	return c.Expr(op.Join(1, token.BroadcastTo(x.Shape()[0], 1, x.Shape()[2]), x))
}

// Apply implements [Layer].
func (l PositionEmbedding) Apply(c *Context) *gorgonia.Node {
	return c.Expr(op.Try(c.Inputs[0], c.err).Add(op.Try(c.Weight("embeddings"), c.err)))
}

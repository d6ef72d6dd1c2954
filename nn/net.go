package nn

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// Net is a model in a Gorgonia graph.
type Net struct {
	Graph  *gorgonia.ExprGraph
	Input  *gorgonia.Node // the images, (batch, …sample); the first of Inputs
	Output *gorgonia.Node // what the last layer returns, (batch, …); the first of Outputs
	Logits *gorgonia.Node // the softmax's input where the model ends with a softmax, else Output; the first of AllLogits
	// Inputs, Outputs and AllLogits are all of them, for models of several: in the order of [Model.Inputs] and [Model.Outputs].
	Inputs, Outputs, AllLogits gorgonia.Nodes
	// Penalty is the sum of the weights' penalties ([Regularizer]), a scalar to be added to the loss; nil when there are none.
	Penalty *gorgonia.Node
	// Params are the weights and their nodes in Keras's order.
	Params []Param
	// Updates are the assignments of a training step beside the optimizer's: the running averages of batch
	// normalization. Machines that know op.Update take them; others call ApplyUpdates after each step.
	Updates []op.Update
	// Step is the Int scalar that dropout needs, nil when nothing is random. Give it another number before every training
	// step: gorgonia.Let(net.Step, gorgonia.NewI(i)), or keep the *gorgonia.I and count it up.
	Step *gorgonia.Node
}

// Param is a weight and the node that stands for it in a graph.
type Param struct {
	Weight *Weight
	Node   *gorgonia.Node
}

// Cost is what a training step differentiates: the given loss, a scalar, with Penalty added where the model has one.
func (n *Net) Cost(loss *gorgonia.Node) (*gorgonia.Node, error) {
	if n.Penalty == nil {
		return loss, nil
	}
	return op.Apply(&op.Add{}, loss, n.Penalty)
}

// Trainable returns the nodes to differentiate by: gorgonia.Grad(cost, net.Trainable()...).
func (n *Net) Trainable() gorgonia.Nodes {
	var out gorgonia.Nodes
	for _, p := range n.Params {
		if p.Weight.Trainable {
			out = append(out, p.Node)
		}
	}
	return out
}

// Nodes returns the nodes of all weights, trainable or not.
func (n *Net) Nodes() gorgonia.Nodes {
	out := make(gorgonia.Nodes, len(n.Params))
	for i, p := range n.Params {
		out[i] = p.Node
	}
	return out
}

// ApplyUpdates copies the values that Updates computed in the last run into their targets. It is for machines that do
// not know op.Update, such as gorgonia.NewTapeMachine: call it after RunAll and before Reset.
func (n *Net) ApplyUpdates() error {
	for _, u := range n.Updates {
		from, err := op.AsArray(u.New.Value())
		if err != nil {
			return fmt.Errorf("nn: update of %q: %w", u.Target.Name(), err)
		}
		to, err := op.AsArray(u.Target.Value())
		if err != nil {
			return fmt.Errorf("nn: update of %q: %w", u.Target.Name(), err)
		}
		if err := convert(to.Data, from.Data); err != nil {
			return err
		}
	}
	return nil
}

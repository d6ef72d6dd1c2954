package nn

import "gorgonia.org/gorgonia"

// All losses implement [Loss] by their rule.

// Identity implements [Loss].
func (l CategoricalCrossentropy) Identity() (class, name string) {
	return l.rule().class, "categorical_crossentropy"
}

// Values implements [Loss].
func (l CategoricalCrossentropy) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l CategoricalCrossentropy) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l SparseCategoricalCrossentropyLoss) Identity() (class, name string) {
	return l.rule().class, "sparse_categorical_crossentropy"
}

// Values implements [Loss].
func (l SparseCategoricalCrossentropyLoss) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l SparseCategoricalCrossentropyLoss) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l BinaryCrossentropy) Identity() (class, name string) {
	return l.rule().class, "binary_crossentropy"
}

// Values implements [Loss].
func (l BinaryCrossentropy) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l BinaryCrossentropy) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l BinaryFocalCrossentropy) Identity() (class, name string) {
	return l.rule().class, "binary_focal_crossentropy"
}

// Values implements [Loss].
func (l BinaryFocalCrossentropy) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l BinaryFocalCrossentropy) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l CategoricalFocalCrossentropy) Identity() (class, name string) {
	return l.rule().class, "categorical_focal_crossentropy"
}

// Values implements [Loss].
func (l CategoricalFocalCrossentropy) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l CategoricalFocalCrossentropy) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l MeanSquaredError) Identity() (class, name string) {
	return l.rule().class, "mean_squared_error"
}

// Values implements [Loss].
func (l MeanSquaredError) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l MeanSquaredError) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l MeanAbsoluteError) Identity() (class, name string) {
	return l.rule().class, "mean_absolute_error"
}

// Values implements [Loss].
func (l MeanAbsoluteError) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l MeanAbsoluteError) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l MeanAbsolutePercentageError) Identity() (class, name string) {
	return l.rule().class, "mean_absolute_percentage_error"
}

// Values implements [Loss].
func (l MeanAbsolutePercentageError) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l MeanAbsolutePercentageError) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l MeanSquaredLogarithmicError) Identity() (class, name string) {
	return l.rule().class, "mean_squared_logarithmic_error"
}

// Values implements [Loss].
func (l MeanSquaredLogarithmicError) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l MeanSquaredLogarithmicError) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l Huber) Identity() (class, name string) { return l.rule().class, "huber_loss" }

// Values implements [Loss].
func (l Huber) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l Huber) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l LogCosh) Identity() (class, name string) { return l.rule().class, "log_cosh" }

// Values implements [Loss].
func (l LogCosh) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l LogCosh) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l Poisson) Identity() (class, name string) { return l.rule().class, "poisson" }

// Values implements [Loss].
func (l Poisson) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l Poisson) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l KLDivergence) Identity() (class, name string) { return l.rule().class, "kl_divergence" }

// Values implements [Loss].
func (l KLDivergence) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l KLDivergence) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l CosineSimilarity) Identity() (class, name string) { return l.rule().class, "cosine_similarity" }

// Values implements [Loss].
func (l CosineSimilarity) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l CosineSimilarity) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l Hinge) Identity() (class, name string) { return l.rule().class, "hinge" }

// Values implements [Loss].
func (l Hinge) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l Hinge) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l SquaredHinge) Identity() (class, name string) { return l.rule().class, "squared_hinge" }

// Values implements [Loss].
func (l SquaredHinge) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l SquaredHinge) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l CategoricalHinge) Identity() (class, name string) { return l.rule().class, "categorical_hinge" }

// Values implements [Loss].
func (l CategoricalHinge) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l CategoricalHinge) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

// Identity implements [Loss].
func (l SparseCategoricalFocalCrossentropy) Identity() (class, name string) {
	return l.rule().class, "sparse_categorical_focal_crossentropy"
}

// Values implements [Loss].
func (l SparseCategoricalFocalCrossentropy) Values(predicted, target *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().valuesOf(predicted, target)
}

// Reduced implements [Loss].
func (l SparseCategoricalFocalCrossentropy) Reduced(predicted, target, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return l.rule().reduced(predicted, target, weights)
}

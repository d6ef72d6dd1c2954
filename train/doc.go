// Package train trains image classifiers: it builds the training graph of a model for the batch sizes that occur, adds
// the optimizer's updates, runs it over a data set with validation after every epoch, and keeps history and
// checkpoints such that a run that was interrupted goes on bit for bit where it stopped.
package train

// Package train trains image classifiers ([Trainer]), and models of any kind on arrays in memory ([Fitter]).
//
// A Trainer builds the training graph of a model for the batch sizes that occur, adds the optimizer's updates, runs it over a data set with
// validation after every epoch, and keeps history and checkpoints such that a run that was interrupted goes on bit for bit where it stopped. A
// Fitter does the same without a folder, as Keras's fit does. Their parts can be used alone: steps, optimizers, schedules, an evaluator, a predictor.
package train

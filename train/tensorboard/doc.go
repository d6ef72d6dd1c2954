// Package tensorboard writes event files, which TensorBoard shows: curves of numbers, histograms, texts and images.
//
//	w, err := tensorboard.NewWriter("logs/train")
//	err = w.Scalar("loss", 0.25, epoch)
//	err = w.Close()
//
// "tensorboard --logdir logs" then shows the tag "loss" of the run "train": every folder below is a run. What is written is what
// TensorFlow's tf.summary and with it Keras's callbacks.TensorBoard write. [Resume] goes on in a folder after a crash, without what the
// crash made invalid.
package tensorboard

package driver

// NoDriverError is a machine without the library of the NVIDIA driver.
type NoDriverError struct{ Detail string }

func (e *NoDriverError) Error() string {
	return "cuda: the NVIDIA driver's library libcuda.so.1 cannot be loaded (" + e.Detail + "); install the NVIDIA driver; in a container, start it with --gpus all"
}

// Short is the error in a few words.
func (e *NoDriverError) Short() string { return "no NVIDIA driver" }

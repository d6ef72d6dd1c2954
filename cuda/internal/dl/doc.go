// Package dl loads shared libraries at run time. It is empty without the tag gpu.
package dl

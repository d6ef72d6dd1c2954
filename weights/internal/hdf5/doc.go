// Package hdf5 reads HDF5 files, as far as Keras and h5py write them: groups, attributes and datasets of numbers and strings.
// It follows the HDF5 File Format Specification, versions 1.0 to 3.0
// (https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html), whose terms name things here.
//
// What is read: superblocks 0 to 3; object headers 1 and 2; groups as symbol tables, as links in headers and as links in
// fractal heaps; attributes in headers and in fractal heaps; integers, floats of 16, 32 and 64 bits and bfloat16, of either
// byte order, enumerations, strings of fixed and variable length, opaque bytes; datasets that are contiguous, compact, or
// chunked (B-trees of version 1, single chunk, implicit and fixed array indexes) behind the filters gzip, shuffle and
// fletcher32. Anything else is refused by name.
//
// The files are nobody's friends: every length and address is checked before it is used, structures that contain
// themselves are found out, and the memory taken is bounded by a small multiple of the file's size, or of what gzip can
// plausibly have packed into it. A file that is wrong gives a *weights.FormatError with the place, what the format asks for
// there, and what stands there.
package hdf5

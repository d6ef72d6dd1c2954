package data

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// FormatError says that a file is not what it should be: truncated, too long, mislabelled, corrupt or empty.
type FormatError struct {
	File   string // path; a file inside an archive is "archive.tar.gz:folder/train.bin"
	What   string // "fine label out of range"
	Offset int64  // position in the (unpacked) file in bytes, or -1
	Record int64  // number of the record or image, from 0, or -1
	Want   string // expected, may be ""
	Got    string // found, may be ""
	Remedy string // what to do, may be ""
	Err    error  // cause, may be nil
}

func (e *FormatError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "data: %s: %s", e.File, e.What)
	if e.Record >= 0 {
		fmt.Fprintf(&b, " in record %d", e.Record)
	}
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " at offset %d", e.Offset)
	}
	switch {
	case e.Want != "" && e.Got != "":
		fmt.Fprintf(&b, ": expected %s, found %s", e.Want, e.Got)
	case e.Want != "":
		fmt.Fprintf(&b, ": expected %s", e.Want)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Remedy != "" {
		fmt.Fprintf(&b, "; %s", e.Remedy)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *FormatError) Unwrap() error { return e.Err }

func formatError(file, what string, offset, record int64) *FormatError {
	return &FormatError{File: file, What: what, Offset: offset, Record: record}
}

// DigestError says that a file's content is not the published one.
type DigestError struct {
	File      string
	Want, Got string // MD5, hexadecimal
	Is        string // what the content is instead, when it is known: "fashion-mnist train-labels-idx1-ubyte"
	Remedy    string
}

func (e *DigestError) Error() string {
	s := fmt.Sprintf("data: %s: wrong digest: expected md5 %s, found %s", e.File, e.Want, e.Got)
	if e.Is != "" {
		s += " (which is " + e.Is + ")"
	}
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// UnknownError says that no data set has this name.
type UnknownError struct {
	Name       string
	Suggestion string // the nearest known name, or ""
}

func (e *UnknownError) Error() string {
	s := fmt.Sprintf("data: there is no data set %q; known are %s", e.Name, strings.Join(Names(), ", "))
	if e.Suggestion != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Suggestion)
		if e.Suggestion == FolderName {
			s += " That is ImageNet, and other pictures in folders of their classes, which --data-dir names"
		}
	}
	return s
}

// Attempt is one place where Open looked.
type Attempt struct {
	Place string // folder or address
	Err   error  // why it was not there
}

// NotFoundError says that a data set is neither on this machine nor to be had from the network. Its Unwrap lists the
// causes, so errors.Is(err, fs.ErrPermission) and the like work.
type NotFoundError struct {
	Name   string
	Tried  []Attempt
	Remedy string
}

func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "data: %s was not found", e.Name)
	for i, a := range e.Tried {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		fmt.Fprintf(&b, "%s: %v", a.Place, a.Err)
	}
	if e.Remedy != "" {
		b.WriteString(". " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns the reason of every attempt.
func (e *NotFoundError) Unwrap() []error {
	errs := make([]error, len(e.Tried))
	for i, a := range e.Tried {
		errs[i] = a.Err
	}
	return errs
}

// CacheError says that the cache folder could not be written: full, read-only, or absent.
type CacheError struct {
	Path string
	Err  error
}

func (e *CacheError) Error() string {
	s := fmt.Sprintf("cannot write %s: %v", e.Path, e.Err)
	if isDiskFull(e.Err) {
		return s + "; make room there, or fetch the set elsewhere and name its folder with --data-dir"
	}
	return s
}

// Unwrap returns the cause.
func (e *CacheError) Unwrap() error { return e.Err }

// isDiskFull recognises a full disk or an exhausted quota on Unix and Windows (ERROR_DISK_FULL 112,
// ERROR_HANDLE_DISK_FULL 39).
func isDiskFull(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, errQuota) {
		return true
	}
	return onWindows && (errors.Is(err, syscall.Errno(112)) || errors.Is(err, syscall.Errno(39)))
}

package main

import "github.com/mmcloughlin/avo/attr"

const nosplit = attr.NOSPLIT // the kernels call nothing and have no frame

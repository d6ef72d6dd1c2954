// Package torch reads the files of PyTorch's torch.save: .pt, .pth, .th, .ckpt. It needs no Python, and nothing that a file
// says is run: see package pickle for how.
//
// Both forms are read: the zip archive of PyTorch 1.6 and later, and the row of pickles before. What a file holds is found
// wherever it lies in it, in dicts in dicts: a tensor's name is its way there, "state_dict.module.conv1.weight", of which
// [Strip] takes the front away. Tensors of any strides come out row-major; shapes and order of axes stay PyTorch's (package
// convert turns those round).
//
// Of Python's names only those are known that stand for tensors, storages, and plain containers. A file that was made by
// torch.save(model), not torch.save(model.state_dict()), names the model's class, and is refused with that name. So are
// sparse, quantized and complex tensors, files of big-endian machines, and TorchScript.
package torch

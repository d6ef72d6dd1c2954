// Package driver is the CUDA driver as the engine uses it, over gorgonia.org/cu: devices, one thread for each, memory, streams,
// events, modules and launches. Every handle has a Close; every error is an [*Error] with CUDA's name for it.
//
// A CUDA context belongs to a thread, so a [Device] has one of its own: [Device.Do] runs a function there, and all functions of
// this package but [Devices], [Open] and Device.Do itself must be called inside it.
package driver

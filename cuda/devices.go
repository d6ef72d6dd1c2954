//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"fmt"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
)

func devices() ([]Device, error) {
	infos, err := driver.Devices()
	if err != nil {
		return nil, err
	}
	all := make([]Device, len(infos))
	for i, info := range infos {
		all[i] = device(info)
		switch free, err := freeMemory(info.Ordinal); {
		case driver.IsLost(err): // of no use to this process, whichever it is
			return nil, err
		case err != nil: // in use by a process that has it for itself, or full
			all[i].Free = -1
		default:
			all[i].Free = free
		}
	}
	return all, nil
}

// freeMemory asks a GPU for its free bytes, which takes a context on it.
func freeMemory(ordinal int) (free int64, err error) {
	d, err := driver.Open(ordinal, 0)
	if err != nil {
		return 0, err
	}
	err = d.Do(func() (err error) {
		free, _, err = driver.MemInfo()
		return err
	})
	return free, errors.Join(err, d.Close())
}

func device(i driver.Info) Device {
	v := driver.Version()
	return Device{Ordinal: i.Ordinal, Name: i.Name, UUID: i.UUID, Major: i.Major, Minor: i.Minor, Multiprocessors: i.Multiprocessors,
		Memory: i.Memory, Driver: fmt.Sprintf("%d.%d", v/1000, v%1000/10)}
}

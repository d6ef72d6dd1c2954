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
		d, err := driver.Open(info.Ordinal, 0)
		if err != nil {
			return nil, err
		}
		err = d.Do(func() (err error) {
			all[i].Free, _, err = driver.MemInfo()
			return err
		})
		if err := errors.Join(err, d.Close()); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func device(i driver.Info) Device {
	v := driver.Version()
	return Device{Ordinal: i.Ordinal, Name: i.Name, UUID: i.UUID, Major: i.Major, Minor: i.Minor, Multiprocessors: i.Multiprocessors,
		Memory: i.Memory, Driver: fmt.Sprintf("%d.%d", v/1000, v%1000/10)}
}

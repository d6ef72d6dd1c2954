package keras

import (
	"encoding/json"
	"fmt"
)

// withNumber makes the Rescaling layer that an operator with a number is, as in x + 3 or 1 - x, and leaves everything else as
// it is.
func (o *object) withNumber(call []reference) ([]reference, error) {
	at := -1
	for i, r := range call {
		if r.number != nil {
			if at >= 0 || len(call) != 2 {
				return nil, wrong("", "is called with %d arguments, numbers among them; one number and one result of a layer are supported", len(call))
			}
			at = i
		}
	}
	if at < 0 {
		return call, nil
	}
	v := *call[at].number
	scale, offset := 1.0, 0.0
	switch first := at == 0; {
	case o.Class == "Add":
		offset = v
	case o.Class == "Subtract" && first:
		scale, offset = -1, v
	case o.Class == "Subtract":
		offset = -v
	case o.Class == "Multiply":
		scale = v
	case (o.Class == "Divide" || o.Class == "TrueDivide") && !first && v != 0:
		scale = 1 / v
	default:
		return nil, wrong("", "is called with the number %v, which is not supported", v)
	}
	if scale == 0 {
		return nil, wrong("", "multiplies by 0, which is not supported")
	}
	config, err := json.Marshal(map[string]any{"name": o.Name, "scale": scale, "offset": offset})
	if err != nil {
		return nil, fmt.Errorf("its number %v: %w", v, err)
	}
	o.Class, o.Config = "Rescaling", config
	return []reference{call[1-at]}, nil
}

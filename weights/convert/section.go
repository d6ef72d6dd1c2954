package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/weights"
)

// containers are the names under which programs keep the state of the network, the surest first.
var containers = []string{"state_dict", "model_state_dict", "model_state", "net_state_dict", "model_weights", "network", "model", "net", "params", "weights"}

// asides are names under which they keep other things, and what those are.
var asides = map[string]string{"optimizer": "optimizer's state", "optimizer_state_dict": "optimizer's state", "optim": "optimizer's state",
	"optimizer_state": "optimizer's state", "optimizers": "optimizer's state", "optimizer_states": "optimizer's state",
	"optimizer_weights": "optimizer's state", "scheduler": "schedule's state", "lr_scheduler": "schedule's state", "lr_schedulers": "schedule's state",
	"scheduler_state_dict": "schedule's state", "scaler": "loss scaler's state", "amp": "loss scaler's state", "rng_state": "random numbers' state",
	"state_dict_ema": "averages of the weights", "model_ema": "averages of the weights", "ema": "averages of the weights",
	"best_epoch": "weights of the best epoch so far", "trained": "weights that training goes on with, behind the averages"}

// wrappers are modules of PyTorch that hold another one.
var wrappers = []string{"module.", "_orig_mod.", "model.", "model/", "backbone.", "net.", "network."}

// section finds the network's tensors among all, and takes away what all their names begin with.
func (s *Source) section() {
	for _, c := range containers {
		inside := 0
		others := map[string]bool{}
		for _, t := range s.Tensors {
			if first := firstPart(t.Name); first == c {
				inside++
			} else {
				others[first] = true
			}
		}
		for other := range others { // a network may have a layer called model
			if asides[other] == "" && c != "state_dict" && c != "model_state_dict" {
				inside = 0
			}
		}
		if inside == 0 {
			continue
		}
		var kept []weights.Tensor
		separator := "."
		for _, t := range s.Tensors {
			switch first := firstPart(t.Name); {
			case first == c:
				separator = t.Name[len(c) : len(c)+1]
				t.Name = t.Name[len(c)+1:]
				kept = append(kept, t)
			case asides[first] != "":
				s.Aside = append(s.Aside, Aside{t.Name, asides[first]})
			default:
				s.Aside = append(s.Aside, Aside{t.Name, fmt.Sprintf("beside %q, where the weights are", c)})
			}
		}
		s.Tensors, s.Prefix = kept, c+separator
		break
	}
	for again := true; again; {
		again = false
		for _, w := range wrappers {
			if len(s.Tensors) > 0 && !slices.ContainsFunc(s.Tensors, func(t weights.Tensor) bool { return !strings.HasPrefix(t.Name, w) }) {
				for i := range s.Tensors {
					s.Tensors[i].Name = s.Tensors[i].Name[len(w):]
				}
				s.Prefix += w
				again = true
			}
		}
	}
	// Counters of batches, which PyTorch's batch normalization keeps and does not use.
	var kept []weights.Tensor
	for _, t := range s.Tensors {
		if _, leaf := split(t.Name); leaf == "num_batches_tracked" {
			s.Aside = append(s.Aside, Aside{t.Name, "counter of batches"})
			continue
		}
		kept = append(kept, t)
	}
	s.Tensors = kept
}

// firstPart is a name up to its first separator, "" where there is none.
func firstPart(name string) string {
	if i := strings.IndexAny(name, "./"); i >= 0 {
		return name[:i]
	}
	return ""
}

// split divides a name into that of the module or layer and that of the weight in it.
func split(name string) (module, leaf string) {
	if i := strings.LastIndexAny(name, "./"); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// layout is what most names say.
func (s *Source) layout() Layout {
	keras, other := 0, 0
	for _, t := range s.Tensors {
		switch _, leaf := split(t.Name); strings.TrimSuffix(leaf, ":0") {
		case "kernel", "gamma", "beta", "moving_mean", "moving_variance", "depthwise_kernel", "pointwise_kernel", "embeddings":
			keras++
		case "weight", "running_mean", "running_var":
			other++
		}
	}
	switch {
	case other > keras:
		return TorchLayout
	case keras > other || s.Format != "PyTorch":
		return KerasLayout
	}
	return TorchLayout
}

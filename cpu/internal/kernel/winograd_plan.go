package kernel

import (
	"os"
	"strconv"
)

func tune(name string, v int) int {
	if s := os.Getenv(name); s != "" {
		v, _ = strconv.Atoi(s)
	}
	return v
}

func planWinograd(tiles, c, f, panel int) winogradPlan {
	p := winogradPlan{byFilters: tune("WBF", 0) == 1}
	if p.byFilters {
		p.tiles = min(tune("WT", 96), tiles)
		p.filters = tune("WF", panel)
		p.channels = min(tune("WC", 64), c)
		return p
	}
	p.tiles = min(tune("WT", 36), tiles)
	p.filters = tune("WF", 64)
	return p
}

package philox

import "math"

// Float64 returns a number between 0 and 1, neither of which it is: the next word, plus a half, times 2⁻³².
func (s *Sequence) Float64() float64 { return (float64(s.Uint32()) + 0.5) * (1.0 / (1 << 32)) }

// Normal returns a number of the normal distribution with mean 0 and variance 1 (Box and Muller, "A Note on the Generation of Random
// Normal Deviates", 1958; one of the two).
func (s *Sequence) Normal() float64 {
	radius := math.Sqrt(-2 * math.Log(s.Float64()))
	return radius * math.Cos(2*math.Pi*s.Float64())
}

// logGamma returns the logarithm of a number of the Gamma distribution of shape a > 0 and scale 1 (Marsaglia and Tsang, "A Simple Method
// for Generating Gamma Variables", 2000, with their way for a < 1). The number itself may be too small for a float64.
func (s *Sequence) logGamma(a float64) float64 {
	if a < 1 {
		return s.logGamma(a+1) + math.Log(s.Float64())/a
	}
	d := a - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := s.Normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(s.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return math.Log(d) + math.Log(v)
		}
	}
}

// Beta returns a number from 0 to 1 of the Beta distribution with both parameters a > 0.
func Beta(s *Sequence, a float64) float64 {
	x, y := s.logGamma(a), s.logGamma(a)
	if x == y { // also where both are −∞, as for the smallest parameters
		return 0.5
	}
	return 1 / (1 + math.Exp(y-x))
}

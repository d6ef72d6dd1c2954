package data

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// shortNetError takes the request's address out of an error that is reported with it anyway.
func shortNetError(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return fmt.Errorf("no answer from the name server: %w", &quiet{err})
		}
		return fmt.Errorf("the name %s cannot be resolved: %w", dns.Name, &quiet{err})
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return fmt.Errorf("no connection: %w", op.Err)
	}
	return err
}

// quiet keeps an error in the chain without repeating its text.
type quiet struct{ error }

func (quiet) Error() string   { return "no network?" }
func (q quiet) Unwrap() error { return q.error }

// joinErrors is errors.Join on one line.
func joinErrors(errs []error) error {
	switch len(errs) {
	case 0:
		return errors.New("no address to download from")
	case 1:
		return errs[0]
	}
	texts := make([]string, len(errs))
	for i, e := range errs {
		texts[i] = e.Error()
	}
	return &oneLine{strings.Join(texts, "; "), errors.Join(errs...)}
}

type oneLine struct {
	text string
	error
}

func (o *oneLine) Error() string { return o.text }
func (o *oneLine) Unwrap() error { return o.error }

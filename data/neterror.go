package data

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// addressError says what went wrong at an address: with the host's name when it was not reached, else with all of it.
func addressError(address string, err error) error {
	short := shortNetError(err)
	if u, bad := url.Parse(address); bad == nil && short != err {
		address = u.Host
	}
	return fmt.Errorf("%s: %w", address, short)
}

// shortNetError makes a few words of the long chain that a failed connection comes with; other errors stay as they are.
func shortNetError(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return &oneLine{"no answer from the name server", err}
		}
		return &oneLine{"name not found", err}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		if op.Timeout() {
			return &oneLine{"no answer", err}
		}
		return &oneLine{"no connection (" + op.Err.Error() + ")", err}
	}
	return err
}

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

// oneLine is an error under another text.
type oneLine struct {
	text string
	error
}

func (o *oneLine) Error() string { return o.text }
func (o *oneLine) Unwrap() error { return o.error }

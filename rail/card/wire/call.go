package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/rail/card"
)

// Called is an acquirer's answer: a JSON object under some HTTP status.
type Called struct {
	Status int
	Object *Object
}

// Call makes a request with a JSON body (none for nil) and wants a JSON object
// back, under whatever status. An error that wraps card.ErrUncertain means that
// the acquirer may have acted; any other, that it did not: the request never
// left, or was turned away before anybody read it.
func Call(ctx context.Context, d card.Doer, method, address string, header http.Header, body any) (Called, error) {
	content, err := encode(body)
	if err != nil {
		return Called{}, err
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(content))
	if err != nil {
		return Called{}, errors.New("the acquirer's address is not a URL")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	}
	status, answer, sent, err := d.Do(req)
	switch {
	case err != nil && sent:
		return Called{}, Uncertain("no answer from the acquirer: %v", err)
	case err != nil:
		return Called{}, fmt.Errorf("the acquirer was not reached: %w", err)
	}
	o, err := Decode(answer)
	if err == nil {
		return Called{Status: status, Object: o}, nil
	}
	if status >= 400 && status < 500 && status != http.StatusRequestTimeout {
		return Called{}, fmt.Errorf("the acquirer answered HTTP %d", status)
	}
	return Called{}, Uncertain("the acquirer answered HTTP %d with something that is no JSON object", status)
}

// encode writes JSON without the escapes for HTML, so that what was signed is
// what is sent.
func encode(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	return httpx.EncodeJSON(body)
}

// JSON is body as Call writes it, for texts that hold JSON.
func JSON(body any) (string, error) {
	b, err := encode(body)
	return string(b), err
}

// Post is Call to an acquirer, named who, whose every answer has a member code:
// one without it is no answer, and one under a status of 500 or more is of a
// machine in trouble.
func Post(ctx context.Context, d card.Doer, who, address, code string, body any) (*Object, error) {
	called, err := Call(ctx, d, http.MethodPost, address, nil, body)
	if err != nil {
		return nil, err
	}
	if called.Status >= 500 {
		return nil, Uncertain("%s answered HTTP %d", who, called.Status)
	}
	if !called.Object.Has(code) && called.Status >= 400 {
		return nil, fmt.Errorf("%s answered HTTP %d", who, called.Status)
	}
	return called.Object, nil
}

// Uncertain makes an error that wraps card.ErrUncertain.
func Uncertain(format string, args ...any) error {
	return fmt.Errorf("%w: %s", card.ErrUncertain, fmt.Sprintf(format, args...))
}

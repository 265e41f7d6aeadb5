package bankfeed

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/rail"
)

const (
	cassoBase = "https://oauth.casso.vn"
	cassoPage = 100 // rows
)

// CheckAPI wants {"key": "..."}, and perhaps "base".
func (Casso) CheckAPI(text string) error {
	_, err := parseCassoAPI(text)
	return invalid(err)
}

func parseCassoAPI(text string) (api, error) {
	a, err := parseAPI(text)
	switch {
	case err != nil:
		return api{}, err
	case a.Key == "" || a.Token != "" || a.Version != 0:
		return api{}, errors.New("the API of Casso takes a key")
	case a.Base == "":
		a.Base = cassoBase
	}
	return a, nil
}

// Pull asks for one page of transactions, oldest first: what comes in between
// makes rows appear twice, never be left out. Casso filters by whole days.
//
// Source: developer.casso.vn/casso-api/api/lay-giao-dich.
func (Casso) Pull(ctx context.Context, get rail.Get, q rail.Query) (rail.Pulled, error) {
	a, err := parseCassoAPI(q.API)
	if err != nil {
		return rail.Pulled{}, err
	}
	page := pageNumber(q.Cursor)
	query := url.Values{}
	query.Set("fromDate", q.Since.In(clock.Vietnam).Format("2006-01-02"))
	query.Set("page", strconv.Itoa(page))
	query.Set("pageSize", strconv.Itoa(cassoPage))
	query.Set("sort", "ASC")
	o, err := getObject(ctx, get, a.Base+"/v2/transactions?"+query.Encode(), "Apikey "+a.Key)
	if err != nil {
		return rail.Pulled{}, err
	}
	if code, _ := o["error"].(json.Number); code != "" && code != "0" {
		return rail.Pulled{}, errors.New("the provider reports error " + excerpt(code.String()))
	}
	data, _ := o["data"].(object)
	rows, ok := data["records"].([]any)
	if !ok {
		return rail.Pulled{}, errors.New("the provider's answer has no records")
	}
	pulled := rail.Pulled{Parsed: parseRows(rows, cassoRow), More: cassoMore(data, page, len(rows))}
	if pulled.More {
		pulled.Cursor = strconv.Itoa(page + 1)
	}
	return pulled, nil
}

// cassoMore says whether a page comes after this one. Without the word of the
// provider a full page means so. Its own page size counts: it may give less
// than was asked for.
func cassoMore(data object, page, rows int) bool {
	if rows == 0 {
		return false
	}
	if total, ok := data["totalPages"].(json.Number); ok {
		if n, err := strconv.Atoi(total.String()); err == nil {
			return page < n
		}
	}
	return rows >= cassoPage
}

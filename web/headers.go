package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/thungan/thungan/internal/httpx"
)

// policy is the Content-Security-Policy of every page: nothing but the style
// that is written into it, and scripts, pictures and connections of our own
// origin. Forms go nowhere else either: browsers apply form-action to
// redirects too, so a form must never be answered by sending the visitor away.
func policy(styleHash string, also Allowance) string {
	form, script, frame, ancestors, pictures := "'self'", "'self'", "", "'none'", "'self' data:"
	if also.Form != "" {
		// Whoever takes the form may send the visitor on to other pages of its own.
		form += " " + also.Form + " https:"
	}
	if also.Script != "" {
		script += " " + also.Script
		frame = "frame-src " + also.Script + "; "
	}
	if also.Framed {
		frame, ancestors = strings.TrimSpace("frame-src 'self' "+also.Script)+"; ", "'self'"
	}
	if also.Pictures != "" {
		pictures += " " + also.Pictures
	}
	return "default-src 'none'; style-src 'sha256-" + styleHash + "'; script-src " + script + "; connect-src " + script + "; " + frame +
		"img-src " + pictures + "; form-action " + form + "; frame-ancestors " + ancestors + "; base-uri 'none'"
}

// Allowance is what one page needs besides, because it sends its visitor on to
// somebody else: origins as Origin writes them, "" for none.
type Allowance struct {
	Form   string // takes a form of the page
	Script string // has a script on the page

	Pictures string // have pictures on the page; several are separated by spaces
	Framed   bool   // the page may stand in a frame of another page of ours, and have one in it
}

// Origin is the origin of an address in the form that policies name it by, ""
// for an address that is not Linkable.
func Origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || !Linkable(address) || strings.ContainsAny(u.Host, " ;,'\"") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Policy is the Content-Security-Policy of the set's pages.
func (s *Set) Policy() string { return s.policy }

// Protect sets the headers that every answer to a page's visitor carries.
//
// The referrer policy is same-origin: no other site learns an address of ours,
// and addresses hold keys. The stricter no-referrer would make browsers send
// "Origin: null" with our own forms, and http.CrossOriginProtection would take
// those without Sec-Fetch-Site (iOS before 16.4, any browser on plain http) for
// a forgery.
func (s *Set) Protect(h http.Header) {
	httpx.SecurityHeaders(h, s.policy)
	h.Set("Referrer-Policy", "same-origin")
}

// Linkable says whether an address that came from somebody else may be put
// into a page as a link: absolute, http or https, without user and password.
func Linkable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

package admin

import (
	"net/http"

	"github.com/thungan/thungan/api"
)

// route is one operation of the API. A test holds this table and api/admin.yaml
// against each other.
type route struct {
	method string
	path   string // below Prefix, in ServeMux's form
	status int    // of success
	run    func(*call) (any, error)
	public bool // needs no token
}

func (a *API) routes() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	const ok, made = http.StatusOK, http.StatusCreated
	return append(a.appRoutes(), []route{
		{method: get, path: "/openapi.yaml", status: ok, run: document, public: true},

		{method: post, path: "/merchants", status: made, run: a.addMerchant},
		{method: get, path: "/merchants", status: ok, run: a.merchants},
		{method: get, path: "/merchants/{merchant_id}", status: ok, run: a.merchant},
		{method: patch, path: "/merchants/{merchant_id}", status: ok, run: a.changeMerchant},
		{method: post, path: "/merchants/{merchant_id}/profiles", status: made, run: a.enrol},
		{method: get, path: "/merchants/{merchant_id}/profiles", status: ok, run: a.profiles},
		{method: get, path: "/merchants/{merchant_id}/keys", status: ok, run: a.keys},
		{method: post, path: "/merchants/{merchant_id}/keys/rotate", status: made, run: a.rotateKeys},
		{method: post, path: "/merchants/{merchant_id}/ipn-secret/rotate", status: made, run: a.rotateIPNSecret},

		{method: post, path: "/merchants/{merchant_id}/receiving-accounts", status: made, run: a.addAccount},
		{method: get, path: "/merchants/{merchant_id}/receiving-accounts", status: ok, run: a.accounts},
		{method: patch, path: "/receiving-accounts/{receiving_account_id}", status: ok, run: a.changeAccount},

		{method: post, path: "/merchants/{merchant_id}/terminals", status: made, run: a.addTerminal},
		{method: get, path: "/terminals", status: ok, run: a.terminals},
		{method: get, path: "/terminals/{terminal_id}", status: ok, run: a.terminal},
		{method: patch, path: "/terminals/{terminal_id}", status: ok, run: a.changeTerminal},
		{method: post, path: "/terminals/{terminal_id}/key/rotate", status: made, run: a.rotateTerminalKey},
		{method: post, path: "/terminals/{terminal_id}/release", status: ok, run: a.releaseTerminal},
		{method: get, path: "/terminals/{terminal_id}/sales", status: ok, run: a.terminalSales},
		{method: get, path: "/terminals/{terminal_id}/batches", status: ok, run: a.terminalBatches},

		{method: get, path: "/payments", status: ok, run: a.payments},
		{method: get, path: "/payments/{payment_id}", status: ok, run: a.payment},
		{method: get, path: "/payments/{payment_id}/events", status: ok, run: a.events},
		{method: get, path: "/payments/{payment_id}/refunds", status: ok, run: a.refundsOfPayment},
		{method: post, path: "/payments/{payment_id}/refunds", status: made, run: a.addRefund},
		{method: get, path: "/payments/{payment_id}/journal", status: ok, run: a.journal},
		{method: get, path: "/payments/{payment_id}/credits", status: ok, run: a.creditsOfPayment},
		{method: get, path: "/payments/{payment_id}/notifications", status: ok, run: a.notificationsOfPayment},
		{method: post, path: "/payments/{payment_id}/cancel", status: ok, run: a.cancel},
		{method: post, path: "/payments/{payment_id}/void", status: ok, run: a.void},

		{method: get, path: "/attempts", status: ok, run: a.attempts},
		{method: get, path: "/attempts/{attempt_id}", status: ok, run: a.attempt},
		{method: post, path: "/attempts/{attempt_id}/recheck", status: ok, run: a.recheckAttempt},
		{method: post, path: "/attempts/{attempt_id}/judge", status: ok, run: a.judgeAttempt},
		{method: get, path: "/refunds", status: ok, run: a.refunds},
		{method: get, path: "/refunds/{refund_id}", status: ok, run: a.refund},
		{method: post, path: "/refunds/{refund_id}/recheck", status: ok, run: a.recheckRefund},
		{method: post, path: "/refunds/{refund_id}/judge", status: ok, run: a.judgeRefund},

		{method: get, path: "/connector-kinds", status: ok, run: a.connectorKinds},
		{method: post, path: "/connectors", status: made, run: a.addConnector},
		{method: get, path: "/connectors", status: ok, run: a.connectors},
		{method: get, path: "/connectors/{connector_id}", status: ok, run: a.connector},
		{method: patch, path: "/connectors/{connector_id}", status: ok, run: a.changeConnector},

		{method: get, path: "/bank-credits", status: ok, run: a.credits},
		{method: get, path: "/bank-credits/{credit_id}", status: ok, run: a.credit},
		{method: post, path: "/bank-credits/{credit_id}/apply", status: ok, run: a.apply},
		{method: post, path: "/bank-credits/{credit_id}/return", status: ok, run: a.giveBack},
		{method: get, path: "/unapplied", status: ok, run: a.unapplied},

		{method: post, path: "/bank-feeds", status: made, run: a.addFeed},
		{method: get, path: "/bank-feeds", status: ok, run: a.feeds},
		{method: get, path: "/bank-feeds/{name}", status: ok, run: a.feed},
		{method: patch, path: "/bank-feeds/{name}", status: ok, run: a.changeFeed},

		{method: get, path: "/notifications", status: ok, run: a.notifications},
		{method: post, path: "/notifications/replay", status: ok, run: a.replayMany},
		{method: get, path: "/notifications/{notification_id}", status: ok, run: a.notification},
		{method: post, path: "/notifications/{notification_id}/replay", status: ok, run: a.replay},

		{method: get, path: "/ledger/trial-balance", status: ok, run: a.trialBalance},

		{method: get, path: "/stations", status: ok, run: a.stations},
		{method: get, path: "/stations/{station_id}", status: ok, run: a.station},
		{method: put, path: "/stations/{station_id}", status: ok, run: a.putStation},
		{method: get, path: "/stations/{station_id}/services", status: ok, run: a.services},
		{method: put, path: "/stations/{station_id}/services/{service_id}", status: ok, run: a.putService},
		{method: get, path: "/promotions", status: ok, run: a.promotions},
		{method: put, path: "/promotions/{code}", status: ok, run: a.putPromotion},
		{method: get, path: "/merchants/{merchant_id}/booking-methods", status: ok, run: a.methods},
		{method: put, path: "/merchants/{merchant_id}/booking-methods/{name}", status: ok, run: a.putMethod},
		{method: del, path: "/merchants/{merchant_id}/booking-methods/{name}", status: http.StatusNoContent, run: a.deleteMethod},
		{method: get, path: "/merchants/{merchant_id}/partner", status: ok, run: a.partner},
		{method: put, path: "/merchants/{merchant_id}/partner", status: ok, run: a.putPartner},
		{method: post, path: "/merchants/{merchant_id}/keys", status: made, run: a.addKey},
		{method: del, path: "/merchants/{merchant_id}/keys/{key_id}", status: http.StatusNoContent, run: a.revokeKey},
		{method: get, path: "/bookings", status: ok, run: a.bookings},
		{method: post, path: "/bookings/{booking_id}/status", status: ok, run: a.setBookingStatus},
		{method: post, path: "/booking-orders", status: made, run: a.addOrder},
		{method: get, path: "/booking-orders/{order_id}", status: ok, run: a.order},
		{method: post, path: "/booking-orders/{order_id}/cancel", status: ok, run: a.cancelOrder},

		{method: post, path: "/tokens", status: made, run: a.addToken},
		{method: get, path: "/tokens", status: ok, run: a.tokens},
		{method: del, path: "/tokens/{token_id}", status: http.StatusNoContent, run: a.revokeToken},
		{method: get, path: "/audit", status: ok, run: a.audit},
	}...)
}

// document answers the API's own description.
func document(*call) (any, error) {
	return raw{kind: "application/yaml", text: api.Admin}, nil
}

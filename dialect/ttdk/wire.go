package ttdk

import (
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
)

// Limits of the wire (source 2).
const (
	maxPlate   = 15
	maxItems   = 100
	maxList    = 100 // of bookings
	maxListing = 350 // of stations
	maxPhone   = 20
	maxNote    = 2000
	maxWhole   = 1 << 53 // what a JSON number counts exactly
)

// The values of paymentStatus and transactionStatus.
const (
	statusNew        = "New"
	statusProcessing = "Processing"
	statusPending    = "Pending"
	statusFailed     = "Failed"
	statusSuccess    = "Success"
	statusCanceled   = "Canceled"
)

var paymentStatuses = []string{statusNew, statusProcessing, statusPending, statusFailed, statusSuccess, statusCanceled}

// The values of orderStatus and customerScheduleStatus.
const (
	stageNew       = 0
	stageConfirmed = 10
	stageCanceled  = 20
	stageClosed    = 30
)

// Times as the wire has them.
const (
	dateLayout  = "02/01/2006"               // dateSchedule, Vietnamese day
	localLayout = "2006-01-02 15:04:05"      // orderPaymentTime, without a zone: Vietnamese
	zuluLayout  = "2006-01-02T15:04:05.000Z" // createdAt, updatedAt
	zoneLayout  = "2006-01-02T15:04:05-07:00"
)

func zulu(t time.Time) string { return t.UTC().Format(zuluLayout) }

func local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(clock.Vietnam).Format(localLayout)
}

// envelope is a success of every module but Order Payment Confirm.
type envelope struct {
	StatusCode int    `json:"statusCode"`
	Error      any    `json:"error"` // always null
	Message    string `json:"message"`
	Data       any    `json:"data"`
}

// failure is an error of the same modules.
type failure struct {
	StatusCode int         `json:"statusCode"`
	Error      string      `json:"error"`
	Message    string      `json:"message"`
	Validation *validation `json:"validation,omitempty"`
	ErrorCode  string      `json:"errorCode,omitempty"` // module Order: 01 to 99
}

type validation struct {
	Source string   `json:"source"` // always payload
	Keys   []string `json:"keys"`
}

// coded is every answer of module Order Payment Confirm.
type coded struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

// methods answers getPublicPaymentMethod. A method that is not offered is null.
type methods struct {
	Bank          *method `json:"bank"`
	MoMo          *method `json:"momo"`
	GtelPay       *method `json:"gtelPay"`
	ZaloPay       *method `json:"zaloPay"`
	TaMove        *method `json:"taMove"`
	VNPay         *method `json:"vnPay"`
	ShopeePay     *method `json:"shopeePay"`
	BaoKim        *method `json:"baoKim"`
	KimNgan       *method `json:"kimNgan"`
	VNPayAppInApp *method `json:"vnpayAppInApp"`
}

// offered is methods without what is null (T6).
type offered struct {
	Bank          *method `json:"bank,omitempty"`
	MoMo          *method `json:"momo,omitempty"`
	GtelPay       *method `json:"gtelPay,omitempty"`
	ZaloPay       *method `json:"zaloPay,omitempty"`
	TaMove        *method `json:"taMove,omitempty"`
	VNPay         *method `json:"vnPay,omitempty"`
	ShopeePay     *method `json:"shopeePay,omitempty"`
	BaoKim        *method `json:"baoKim,omitempty"`
	KimNgan       *method `json:"kimNgan,omitempty"`
	VNPayAppInApp *method `json:"vnpayAppInApp,omitempty"`
}

// method is one way to pay, with the names that the documents have and those
// that the web client reads.
type method struct {
	ID           int64  `json:"paymentMethodId"`
	Name         string `json:"paymentMethodName"`
	Type         int64  `json:"paymentMethodType"`
	Identity     string `json:"paymentMethodIdentityNumber"`
	Owner        string `json:"paymentMethodOwnerName"`
	ImageURL     string `json:"paymentMethodImageUrl"`
	Enable       int    `json:"paymentMethodEnable"` // 0 or 1
	Note         string `json:"paymentMethodNote"`
	StationsID   *int64 `json:"stationsId"`
	ReceiverName string `json:"paymentMethodReceiverName"`
	ReferName    string `json:"paymentMethodReferName"`
	TypeCode     string `json:"paymentTypeCode"`
}

// calculation answers calculatePaymentInfo. Amounts are đồng.
type calculation struct {
	SubTotal     money.VND `json:"subTotalAmount"`
	Payment      money.VND `json:"payment"`
	Tax          money.VND `json:"taxAmount"`
	Discount     money.VND `json:"discountAmount"`
	TotalPayment money.VND `json:"totalPayment"`
	Total        money.VND `json:"totalAmount"`
	Paid         money.VND `json:"paidAmount"`
	Unpaid       money.VND `json:"unpaidAmount"`
	Refund       money.VND `json:"refundAmount"`
	DebtStatus   int       `json:"debtStatus"` // always 0
	Promotion    any       `json:"promotionData"`
	SalesChannel string    `json:"salesChannel"`
}

// created answers createPayment (source 1). All keys are always there.
type created struct {
	CustomerScheduleID int64       `json:"customerScheduleId"`
	IsSuccess          int         `json:"isSuccess"` // 0 or 1
	PaymentStatus      string      `json:"paymentStatus"`
	TotalPayment       money.VND   `json:"totalPayment"`
	OrderData          orderNumber `json:"orderData"`
	ErrorMessage       *string     `json:"errorMessage"`
	ErrorCode          *string     `json:"errorCode"`
	InAppGtelOrderID   *string     `json:"inAppGtelOrderId"`
	MethodID           int64       `json:"paymentMethodId"`
	MethodType         int64       `json:"paymentMethodType"`
	MethodSubType      *string     `json:"paymentMethodSubType"`
	MetaData           any         `json:"metaData"` // always null
	BankQR             *bankQR     `json:"bankQR"`
	MoMoQR             *momoQR     `json:"momoQR"`
	LinkURL            *string     `json:"paymentLinkUrl"`
	DeepLink           *string     `json:"paymentDeepLink"`
	GatewayData        any         `json:"paymentGatewayData"`

	// With Config.Mirror (T16).
	Mirror        *mirror `json:"paymentQR,omitempty"`
	MirrorOrderID int64   `json:"orderId,omitempty"`
}

type orderNumber struct {
	OrderID int64 `json:"orderId"`
}

// bankQR is how a bank transfer is made.
type bankQR struct {
	Data    string `json:"qrData"` // URL of a PNG
	Code    string `json:"qrCode"` // its EMVCo text
	Content string `json:"paymentContent"`
	Minutes int64  `json:"expiredInMinutes"`
}

// momoQR is a code for the MoMo app.
type momoQR struct {
	DataURL string `json:"qrDataURL"` // a data URI with a PNG
	Content string `json:"paymentContent"`
	Minutes int64  `json:"expiredInMinutes"`
}

// mirror repeats parts of an answer where older clients look for them.
type mirror struct {
	BankQR      *bankQR `json:"bankQR"`
	MoMoQR      *momoQR `json:"momoQR"`
	Content     *string `json:"paymentContent"`
	GatewayData any     `json:"paymentGatewayData"`
}

// confirmed is one item of paymentConfirmBatch.
type confirmed struct {
	Index     int    `json:"index"`
	OrderID   string `json:"orderId"`
	RequestID string `json:"requestId"`
	Status    string `json:"status"`
	Error     string `json:"error,omitempty"`
}

// orderInfo is an order of queryOrder; in a batch it has an index.
type orderInfo struct {
	Index         *int        `json:"index,omitempty"`
	OrderID       string      `json:"orderId"`
	Total         money.VND   `json:"totalAmount"`
	Discount      money.VND   `json:"discountAmount"`
	Tax           money.VND   `json:"taxAmount"`
	PaymentStatus string      `json:"paymentStatus"`
	CreatedAt     string      `json:"createdAt"`
	Phone         string      `json:"phoneNumber"`
	FirstName     string      `json:"firstName"`
	Items         []orderItem `json:"orderItems"`
}

type orderItem struct {
	Name     string    `json:"orderItemName"`
	Quantity int64     `json:"quantity"`
	Amount   money.VND `json:"payAmount"`
}

// transaction is one of queryTransaction; in a batch it has an index.
type transaction struct {
	Index     *int      `json:"index,omitempty"`
	OrderID   string    `json:"orderId"`
	Amount    money.VND `json:"amount"`
	Status    string    `json:"transactionStatus"`
	UpdatedAt string    `json:"updatedAt"`
}

// page is a list of rows with how many there are.
type page[T any] struct {
	Data  []T   `json:"data"`
	Total int64 `json:"total"`
}

type stationRow struct {
	ID       int64  `json:"stationsId"`
	Code     string `json:"stationCode"`
	Name     string `json:"stationsName"`
	Address  string `json:"stationsAddress"`
	Area     string `json:"stationArea"`
	Status   int    `json:"stationStatus"` // 1 in use
	Priority int    `json:"enablePriorityMode"`
}

type serviceRow struct {
	ID        int64     `json:"stationServicesId"`
	StationID int64     `json:"stationsId"`
	Name      string    `json:"serviceName"`
	Kind      int64     `json:"serviceType"`
	Price     money.VND `json:"servicePrice"`
	Active    int       `json:"isActive"`
	Online    int       `json:"enableOnlinePayment"`
	Prepay    int       `json:"enablePrepay"`
}

type keyRow struct {
	Key       string `json:"apiKey"`
	Name      string `json:"apiKeyName"`
	StationID *int64 `json:"stationsId"`
	Deleted   int    `json:"isDeleted"`
}

type dateRow struct {
	Date   string `json:"scheduleDate"` // DD/MM/YYYY
	Status int    `json:"scheduleDateStatus"`
	Total  int64  `json:"totalSchedule"`
	Booked int64  `json:"totalBookingSchedule"`
}

type timeRow struct {
	Time   string `json:"scheduleTime"`
	Status int    `json:"scheduleTimeStatus"`
	Total  int64  `json:"totalSchedule"`
	Booked int64  `json:"totalBookingSchedule"`
}

// schedule is a booking, as lists and its webhook have it.
type schedule struct {
	ID           int64  `json:"customerScheduleId"`
	Plate        string `json:"licensePlates"`
	PlateColor   int64  `json:"licensePlateColor"`
	VehicleType  int64  `json:"vehicleType"`
	Phone        string `json:"phone"`
	Name         string `json:"fullnameSchedule"`
	Email        string `json:"email"`
	Date         string `json:"dateSchedule"`
	Time         string `json:"time"`
	Serial       int64  `json:"scheduleSerial"`
	Code         string `json:"scheduleCode"`
	Status       int    `json:"customerScheduleStatus"`
	Note         string `json:"scheduleNote"`
	Kind         int64  `json:"scheduleType"`
	Hash         string `json:"scheduleHash,omitempty"` // not in lists
	Confirm      int    `json:"confirmStatus"`
	Tracking     string `json:"scheduleTracking"`
	StationID    *int64 `json:"stationsId,omitempty"` // not in webhooks
	OrderID      int64  `json:"orderId,omitempty"`    // not in webhooks
	CancelReason string `json:"reason,omitempty"`
	CreatedAt    string `json:"createdAt"`
	UpdatedAt    string `json:"updatedAt"`
}

// scheduleDetail answers getDetailSchedule.
type scheduleDetail struct {
	schedule
	Station   *stationShort `json:"station"`
	Order     orderShort    `json:"order"`
	PaymentQR *detailQR     `json:"paymentQR"`
}

type stationShort struct {
	Name    string `json:"stationsName"`
	Code    string `json:"stationCode"`
	Address string `json:"stationsAddress"`
}

type orderShort struct {
	OrderID       int64     `json:"orderId"`
	Total         money.VND `json:"totalAmount"`
	PaymentStatus string    `json:"paymentStatus"`
}

type detailQR struct {
	BankQR *bankQR `json:"bankQR"`
}

// order is an order as getOrderDetail and its webhook have it.
type order struct {
	OrderID       int64     `json:"orderId"`
	RefID         string    `json:"orderRefId"`
	Name          string    `json:"orderName"`
	Code          string    `json:"orderCode"`
	Status        int       `json:"orderStatus"`
	PaymentStatus string    `json:"paymentStatus"`
	SubTotal      money.VND `json:"subTotalAmount"`
	Discount      money.VND `json:"discountAmount"`
	Tax           money.VND `json:"taxAmount"`
	Total         money.VND `json:"totalAmount"`
	Paid          money.VND `json:"paidAmount"`
	ExtraFee      money.VND `json:"extraFee"` // always 0
	MethodType    int64     `json:"paymentMethodType"`
	Kind          int64     `json:"orderType"`
	Category      int       `json:"orderCategory"` // always 1
	SalesChannel  string    `json:"salesChannel"`
	PaymentTime   string    `json:"orderPaymentTime"`
	PaymentInfo   string    `json:"orderPaymentInfo"` // always {}
	CreatedAt     string    `json:"createdAt"`
	UpdatedAt     string    `json:"updatedAt"`
}

// orderNotice is the body of the order webhook.
type orderNotice struct {
	Data order `json:"callbackData"`
}

// scheduleNotice is the body of the schedule webhook.
type scheduleNotice struct {
	Customer struct {
		Identifier string `json:"customerIdentifier"`
	} `json:"customerData"`
	Vehicle struct {
		Identity string `json:"vehicleIdentity"`
		Color    string `json:"vehiclePlateColor"`
		Type     int64  `json:"vehicleType"`
	} `json:"vehicleData"`
	Data schedule `json:"callbackData"`
}

// salesChannel is what every order of a partner came by.
const salesChannel = "PARTNER"

package ttdk

const pathConfirm = "/order/paymentconfirm"

// plate, phone and so on are the members that several endpoints share.
var (
	requestID   = words("requestId", maxText)
	orderCode   = words("orderId", maxText)
	amountField = field{name: "amount", kind: number, integer: true, least: ptr(1)}
	statusField = field{name: "paymentStatus", kind: text, words: paymentStatuses}
	skip        = natural("skip").whole().upTo(maxWhole)
	plateColor  = field{name: "licensePlateColor", kind: number, required: true, oneOf: []float64{1, 2, 3, 4}}
	search      = words("searchText", maxText).orEmpty()
	ordering    = field{name: "order", kind: object, openEnds: true}
	filter      = field{name: "filter", kind: object, openEnds: true}
	services    = listOf("stationServicesList", field{kind: number, above: ptr(0)})
)

// allTypes is the list of payment types.
func allTypes() []float64 {
	all := make([]float64, lastType)
	for i := range all {
		all[i] = float64(i + 1)
	}
	return all
}

// reservation is what a booking may say; the last ones are what clients send
// beside the documented ones.
func reservation(extra ...field) []field {
	return append([]field{
		words("licensePlates", maxPlate).need(), words("phone", maxPhone).need(), natural("vehicleType").whole().need(), plateColor,
		words("fullnameSchedule", maxText).orEmpty(), {name: "email", kind: text, email: true, blank: true},
		words("dateSchedule", maxText).orEmpty(), words("time", 40).orEmpty(), natural("stationsId"), services,
		natural("scheduleType").whole(), natural("vehicleSubType"), natural("vehicleSubCategory"), words("certificateSeries", maxText).orEmpty(),
		{name: "notificationMethod", kind: text, words: []string{"SMS", "EMAIL"}, blank: true}, words("scheduleNote", maxNote).orEmpty(),
		{name: "attachmentList", kind: list, items: [2]int{0, 50}, item: []field{{kind: object, members: []field{
			words("attachmentName", maxText).orEmpty(), words("attachmentUrl", maxNote).orEmpty(),
		}}}},
	}, extra...)
}

// consultation is a reservation whose vehicle type may be left out.
func consultation() []field {
	all := reservation()
	all[2].required = false
	return all
}

// batchOf is a batch of items.
func batchOf(members ...field) []field {
	return []field{{name: "items", kind: list, required: true, items: [2]int{1, maxItems}, item: []field{{kind: object, members: members}}}}
}

// operations are all endpoints, by path in lower case.
func (h *handler) operations() map[string]operation {
	createPayment := []field{
		positive("customerScheduleId").need(), {name: "paymentMethodType", kind: number, required: true, oneOf: allTypes()}, positive("paymentMethodId"),
		words("paymentMethodSubType", maxText), services, positive("stationsId"),
	}
	calculate := []field{
		positive("orderId"), listOf("licensePlatesList", field{kind: text, length: maxPlate}),
		{name: "productIds", kind: list, items: [2]int{0, maxItems}, item: []field{
			{kind: number, above: ptr(0)},
			{kind: object, members: []field{positive("productId").need(), {name: "quantity", kind: number, integer: true, least: ptr(1), most: ptr(1000)}}},
		}},
		words("promotionCode", 40),
	}
	return map[string]operation{
		prefix + "paymentqr/user/getpublicpaymentmethod": {modulePayment, nil, h.publicMethods},
		twinMethods + "getpublicpaymentmethod":           {modulePayment, nil, h.offeredMethods},
		prefix + "order/user/calculatepaymentinfo":       {modulePayment, calculate, h.calculate},
		prefix + "customerschedule/user/createpayment":   {modulePayment, createPayment, h.createPayment},

		prefix + "order/paymentconfirmbatch": {moduleBatch, batchOf(requestID.need(), orderCode.need(), amountField.need(), statusField.need()), h.confirmBatch},
		prefix + "order/queryorderbatch":     {moduleBatch, batchOf(requestID, orderCode.need(), amountField.need()), h.queryOrderBatch},
		prefix + "order/querytransactionbatch": {
			moduleBatch, batchOf(requestID, words("transactionId", maxText), orderCode.need(), amountField.need()), h.queryTransactionBatch,
		},
		prefix + "order/paymentconfirm": {moduleSingle, []field{requestID.need(), orderCode.need(), amountField.need(), statusField.need()}, h.confirm},
		prefix + "order/queryorder":     {moduleSingle, []field{requestID.need(), orderCode.need(), amountField.need()}, h.queryOrder},
		prefix + "order/querytransaction": {
			moduleSingle, []field{requestID.need(), words("transactionId", maxText).need(), orderCode.need(), amountField.need()}, h.queryTransaction,
		},

		prefix + "customerschedule/user/createschedule":       {modulePartner, reservation(), h.createSchedule},
		prefix + "customerschedule/user/usercreateconsultant": {modulePartner, consultation(), h.createSchedule},
		prefix + "order/user/createorderschedule": {
			modulePartner, reservation(field{name: "isImmediate", kind: number, oneOf: []float64{0, 1}}), h.createOrderSchedule,
		},
		prefix + "customerschedule/user/getdetailschedule": {modulePartner, []field{natural("customerScheduleId").need()}, h.scheduleDetail},
		prefix + "customerschedule/user/getlistschedule": {modulePartner, []field{
			{name: "filter", kind: object, required: true, members: []field{
				words("phone", maxPhone).need(), natural("CustomerScheduleStatus"), natural("customerScheduleStatus"),
			}},
			skip, natural("limit").whole().upTo(maxList), ordering, search,
		}, h.listSchedules},
		prefix + "customerschedule/user/cancelschedule": {modulePartner, []field{
			natural("customerScheduleId").need(), words("reason", 500).orEmpty(),
		}, h.cancelSchedule},
		prefix + "order/user/getorderdetail": {modulePartner, []field{natural("id").need()}, h.orderDetail},
		twinOrders + "getorderdetail":        {modulePartner, []field{natural("id").need()}, h.orderDetail},

		prefix + "stationservices/user/getliststationservice": {modulePartner, []field{
			{name: "filter", kind: object, required: true, members: []field{positive("stationsId").need()}, openEnds: true},
			search, skip, natural("limit").whole().upTo(maxListing), ordering,
		}, h.listServices},
		prefix + "stationservices/user/getstationbyapikey": {modulePartner, []field{words("apiKey", maxKey).need()}, h.stationByKey},
		prefix + "stations/user/getlist":                   {modulePartner, []field{filter, search, skip, natural("limit").whole().upTo(maxListing), ordering}, h.listStations},
		prefix + "stations/user/getallexternal": {modulePartner, []field{
			search, {name: "filter", kind: object, members: []field{
				words("stationArea", maxText).orEmpty(), natural("availableStatus"), natural("enablePriorityMode"),
			}}, skip, natural("limit").whole().upTo(maxListing), ordering,
		}, h.listStations},
		prefix + "stations/user/getallstationarea": {modulePartner, nil, h.stationAreas},
		prefix + "stations/user/getdetail":         {modulePartner, []field{natural("id").need()}, h.stationDetail},
		prefix + "stations/user/getlistscheduledate": {modulePartner, []field{
			positive("stationsId").need(), natural("vehicleType").whole().need(), words("startDate", maxText), words("endDate", maxText),
		}, h.listDates},
		prefix + "stations/user/getlistscheduletime": {modulePartner, []field{
			positive("stationsId").need(), words("date", maxText).need(), natural("vehicleType").whole().need(),
		}, h.listTimes},
	}
}

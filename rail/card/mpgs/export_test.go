package mpgs

// Tables are the statuses and gateway codes, with their texts.
func Tables() (orders, codes map[string]string) {
	orders, codes = map[string]string{}, map[string]string{}
	for name, s := range statuses {
		orders[name] = s.text
		if s.stage < waiting || s.stage > unclear {
			orders[name] = ""
		}
	}
	for name, c := range gatewayCodes {
		codes[name] = c.text
	}
	return orders, codes
}

const app = getApp();

Page({
  data: {
    cart: app.cart
  },
  onShow() {
    this.setData({ cart: app.cart });
  },
  doPayment() {
    my.getAuthCode({
      scope: [],
      success: (res) => {
        my.makePayment({
          orderId: '67328847745515542',
          success: (res) => {
            my.alert({ title: 'payment', content: res });
          }
        });
      }
    });
  }
});

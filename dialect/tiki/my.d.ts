// TypeScript declarations of /tini/my.js, and of the globals that a Tini App's
// own scripts call: App, Page, getApp.
//
//   /// <reference path="my.d.ts" />

declare namespace my {
  /**
   * Why a call failed. As a string it is the message that the documents promise
   * (`String(e)`, `e + ""`); error and errorMessage are those of the other calls.
   */
  interface Fault extends String {
    /** 400: refused or not paid; 401: not logged in; 404: no such order or app; "network": nobody could be asked. */
    readonly error: number | string;
    readonly errorMessage: string;
  }

  interface Callbacks<T> {
    success?: (result: T) => void;
    fail?: (error: Fault) => void;
    /** Called after success or fail, never before. */
    complete?: (result: T | Fault) => void;
  }

  interface AuthCode {
    /** For the app's back end: POST /oauth/auth/token, once, within ten minutes. */
    authCode: string;
    authSuccessScopes: string[];
    /** "1": the app may not ask for the scope; "2": the user refused it. */
    authErrorScopes: Record<string, "1" | "2">;
  }

  type Scope = "offline" | "user_profile";

  /** Opens the login screen when nobody is logged in, then asks for a code. */
  function getAuthCode(options?: { scopes?: Scope | Scope[] | string | string[] } & Callbacks<AuthCode>): void;

  function isLoggedIn(options?: Callbacks<boolean>): void;

  interface UserInfo {
    customerId: string;
    name: string;
    avatar: string;
    email: string;
    phone: string;
    phoneNumber: string;
  }

  function getUserInfo(options?: Callbacks<UserInfo>): void;

  interface PaymentOptions {
    /** The id of an order made by the app's back end. It serves one call. */
    orderId: string;
    /** Absent: online, on the payment page. */
    paymentMethod?: "cod" | "bank_transfer" | "banktransfer";
  }

  /**
   * Pays an order. Cash on delivery and bank transfer succeed at once, before
   * any money has moved. The user has to be logged in: see getAuthCode.
   */
  function makePayment(options: PaymentOptions & Callbacks<"success">): void;

  /** Starts a payment and gives its reference at once. */
  function makePaymentV2(options: { orderId: string } & Callbacks<string>): void;

  function alert(options: { title?: unknown; content?: unknown; buttonText?: string } & Callbacks<void>): void;

  /** A payment page that is shown. */
  interface PaymentPage {
    /** Resolves when the customer has closed it, or close was called. */
    closed: Promise<void>;
    close(): void;
  }

  interface Host {
    /** The app's identifier; also data-app of the script element. */
    app: string;
    /** Origin of the gateway; where the script came from unless it is set. */
    gateway: string;
    platform: "mobile-ios" | "mobile-android";
    /** Where the user's token is kept. */
    token: { get(): string; set(token: string): void };
    fetch: (url: string, options: RequestInit) => Promise<Response>;
    /** Shows the login screen; resolves with the user's token, rejects when the user refuses. */
    login: () => Promise<string>;
    /** Shows the payment page. */
    open: (url: string) => PaymentPage | Promise<PaymentPage>;
    alert: (options: { title: string; content: string; buttonText: string }) => void | Promise<void>;
    /** Is told of every call that has ended. */
    log: (entry: { name: string; outcome: "success" | "fail"; value: unknown }) => void;
  }

  /** For containers: replaces parts of the host. */
  function configure(host: Partial<Host>): void;
}

declare function App<T extends object>(options: T & ThisType<T>): void;
declare function getApp<T = any>(): T;

interface PageInstance<D> {
  data: D;
  setData(patch: Partial<D> & Record<string, unknown>, callback?: () => void): void;
}

declare function Page<D extends object, T extends object>(
  options: { data?: D; onLoad?(query: Record<string, string>): void; onReady?(): void; onShow?(): void; onHide?(): void; onUnload?(): void } & T &
    ThisType<T & PageInstance<D>>,
): void;

//! The farm: mock proxies whose behaviour, and the verdict it must get, is chosen by address.

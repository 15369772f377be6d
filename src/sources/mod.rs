//! Lists of proxies: fetched, parsed into candidates, checked for addresses that may be dialled.

pub mod address;
pub mod fetch;
pub mod input;
pub mod parse;
pub mod unique;

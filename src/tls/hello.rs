//! stub
/// s
#[derive(Debug, Default)]
pub struct HelloPeek {}
impl HelloPeek {
    /// s
    pub fn push(&mut self, _b: &[u8]) -> Option<Seen> { None }
}
/// s
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// s
    Hello(ClientHello),
    /// s
    NotTls {
        /// s
        offset: u64,
        /// s
        reason: String },
}
/// s
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// s
    pub sni: Option<String>,
    /// s
    pub alpn: Vec<String>,
    /// s
    pub versions: Vec<u16> }

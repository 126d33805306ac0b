//! Names of fields as people write them in files: `keep_alive` is `keep-alive`.

/// The kebab case of a field's name, as a constant: `kebab!(keep_alive)`.
#[macro_export]
macro_rules! kebab {
    ($field:ident) => {{
        const NAME: [u8; stringify!($field).len()] = $crate::kebab::bytes(stringify!($field));
        const TEXT: &str = match core::str::from_utf8(&NAME) {
            Ok(text) => text,
            Err(_) => panic!("identifiers are text"),
        };
        TEXT
    }};
}

/// The bytes of a name with a hyphen for each underscore; `N` is its length.
pub const fn bytes<const N: usize>(name: &str) -> [u8; N] {
    let mut out = [0; N];
    let mut at = 0;
    while at < N {
        let byte = name.as_bytes()[at];
        out[at] = if byte == b'_' { b'-' } else { byte };
        at += 1;
    }
    out
}

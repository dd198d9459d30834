//! The committed inputs, on every platform and without a fuzzer.

/// Runs a target on the lines of a file: an input in hexadecimal each.
fn replay(target: fn(&[u8]), inputs: &str) {
    let digits = |line: &str| line.bytes().map(|digit| char::from(digit).to_digit(16).unwrap()).collect::<Vec<_>>();
    let mut count = 0;
    for line in inputs.lines().filter(|line| !line.starts_with('#')) {
        let bytes: Vec<u8> = digits(line).chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect();
        // The test's output names the input that fails.
        println!("{line}");
        target(&bytes);
        count += 1;
    }
    assert!(count > 0);
}

macro_rules! corpora {
    ($($(#[$attribute:meta])* $name:ident),*) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                replay(super::$name, include_str!(concat!("../../../fuzz/corpus/", stringify!($name), ".hex")));
            }
        )*
    };
}

corpora!(
    addresses,
    #[cfg(unix)]
    control,
    link,
    peers,
    relay,
    server
);

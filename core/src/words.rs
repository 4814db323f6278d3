//! Words for the variants of enums.

/// A method that says in words which variant a value is, and the list of all these words. A variant without one does not compile,
/// and no word is left out of the list.
///
/// Behind `or` comes the variant that has its words from elsewhere, if there is one.
macro_rules! words {
    ($(#[$doc:meta])* $visible:vis fn $name:ident in $all:ident {
        $($variant:pat => $word:literal,)+
    } $(or {
        $other:pat => $of_other:expr
    })?) => {
        #[doc = concat!("All words of [`", stringify!($name), "`](Self::", stringify!($name), ").")]
        $visible const $all: &'static [&'static str] = &[$($word),+];

        $(#[$doc])*
        #[must_use]
        $visible const fn $name(&self) -> &'static str {
            match self {
                $($variant => $word,)+
                $($other => $of_other,)?
            }
        }
    };
}

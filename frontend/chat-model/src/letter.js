// Kinds of letters by the browser's tables of Unicode: the same properties as those of Rust's functions.

const isOf = (kinds) => (code) => kinds.test(String.fromCodePoint(code));

/// Whether a character is a letter or a digit.
export const isAlphanumeric = isOf(/[\p{Alphabetic}\p{N}]/u);

/// Whether a letter is of a script with lower and upper case.
export const hasCase = isOf(/[\p{Lowercase}\p{Uppercase}]/u);

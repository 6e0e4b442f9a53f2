// NaN and infinity in WGSL, by bits: compilers may assume that there is neither, and min, max and clamp of some adapters drop NaN.

/** WGSL names of a float type, scalar or vec4, and of the integers and booleans of its width. */
export interface FloatType {
  readonly float: string;
  readonly bits: string;
}

/** `is_nan`, `nan_max`, `nan_min` and `exp_within` of one float type. */
export function nonFiniteWgsl({ float, bits }: FloatType): string {
  const bools = bits === "u32" ? "bool" : "vec4<bool>";
  return /* wgsl */ `
fn is_nan(x: ${float}) -> ${bools} { return (bitcast<${bits}>(x) & ${bits}(0x7fffffffu)) > ${bits}(0x7f800000u); }
fn is_infinite(x: ${float}) -> ${bools} { return bitcast<${bits}>(x) == ${bits}(0x7f800000u); }
fn nan_max(a: ${float}, b: ${float}) -> ${float} { return select(select(max(a, b), b, is_nan(b)), a, is_nan(a)); }
fn nan_min(a: ${float}, b: ${float}) -> ${float} { return select(select(min(a, b), b, is_nan(b)), a, is_nan(a)); }
// e^x with x kept between bounds within which every adapter's exp is right; NaN and infinity give themselves.
fn exp_within(x: ${float}, low: f32, high: f32) -> ${float} {
  return select(exp(clamp(x, ${float}(low), ${float}(high))), x, is_nan(x) | is_infinite(x));
}`;
}

/** For kernels of f32, and of vec4f. */
export const nonFiniteScalarWgsl: string = nonFiniteWgsl({ float: "f32", bits: "u32" });
export const nonFiniteVec4Wgsl: string = nonFiniteWgsl({ float: "vec4f", bits: "vec4u" });

/** `minus_infinity()` and `not_a_number()`, which no constant expression may be. */
export const minusInfinityWgsl = /* wgsl */ `
fn minus_infinity() -> f32 {
  var bits = 0xff800000u;
  return bitcast<f32>(bits);
}`;
export const notANumberWgsl = /* wgsl */ `
fn not_a_number() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}`;

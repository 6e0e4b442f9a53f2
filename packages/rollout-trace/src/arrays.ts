// Typed arrays as base64 of their little-endian bytes.
import { z } from "zod";

type NumberArray =
  | Int32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>;

interface ArrayType<A extends NumberArray> {
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
  new (buffer: ArrayBuffer): A;
}

/** A codec between base64 text and a typed array. Assumes a little-endian machine, as every WebGPU host is. */
function base64Array<A extends NumberArray>(type: ArrayType<A>): z.ZodCodec<z.ZodBase64, z.ZodType<A, A>> {
  return z.codec(
    z.base64({ abort: true }), // else the checks of objects around it would run, with the text in the array's place
    z.custom<A>((value) => value instanceof (type as unknown as abstract new () => A), {
      error: `expected ${type.name}`,
    }),
    {
      decode: (text, context) => {
        const bytes = z.util.base64ToUint8Array(text);
        if (bytes.length % type.BYTES_PER_ELEMENT !== 0) {
          context.issues.push({
            code: "custom",
            input: text,
            message: `${bytes.length} bytes are no whole number of ${type.name} elements`,
          });
          return z.NEVER;
        }
        return new type(new Uint8Array(bytes).buffer);
      },
      encode: (array) => z.util.uint8ArrayToBase64(new Uint8Array(array.buffer, array.byteOffset, array.byteLength)),
    },
  );
}

export const int32ArraySchema: z.ZodType<Int32Array<ArrayBuffer>, string> = base64Array(Int32Array<ArrayBuffer>);
export const int16ArraySchema: z.ZodType<Int16Array<ArrayBuffer>, string> = base64Array(Int16Array<ArrayBuffer>);
export const uint8ArraySchema: z.ZodType<Uint8Array<ArrayBuffer>, string> = base64Array(Uint8Array<ArrayBuffer>);
export const float32ArraySchema: z.ZodType<Float32Array<ArrayBuffer>, string> = base64Array(Float32Array<ArrayBuffer>);

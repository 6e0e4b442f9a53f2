// Which addresses an endpoint may have: they are written into settings and messages, so they hold no key.
/** What is wrong with an address; it is not quoted where it holds a key. */
export function endpointProblem(text: string): string | undefined {
  if (!URL.canParse(text))
    return `${JSON.stringify(text.slice(0, 200))} is no address, such as http://localhost:8000/v1`;
  const { protocol, username, password, search, hash } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:")
    return `an endpoint is reached by http or https, not by ${JSON.stringify(protocol)}`;
  if (username !== "" || password !== "")
    return "an endpoint's address holds no user or password, as it is written into files; give the key by its environment variable";
  if (search !== "" || hash !== "" || /[?#]/.test(text))
    return "an endpoint's address ends before ? and #, as it is written into files; give parameters as `query`, a key by its environment variable";
  if (/[\s\\]/.test(text)) return `${JSON.stringify(text.slice(0, 200))} holds a blank, a line break or a backslash`;
  if (/\/chat\/completions\/*$/.test(text))
    return "an endpoint's address ends before /chat/completions, which is added to it";
  return undefined;
}

const secrets = /^(?:proxy-)?authorization$|^cookie$|api[-_]?key|token|secret/i;

/** Whether a header carries what no file should hold. */
export const isSecretHeader = (name: string): boolean => secrets.test(name);

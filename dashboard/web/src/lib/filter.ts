// The filter box: selectors as kubectl writes them, and words that are looked for in the rows.

export interface Filter {
  labels: string;
  fields: string;
  words: string[];
}

const SET = /(!?[\w./-]+)\s+(in|notin)\s*\(([^)]*)\)/g;
const PAIR = /^(!?[\w./-]+?)(==|!=|=)([\w./-]*)$/;

/**
 * `app=web, tier in (a, b), !legacy, status.phase=Running web-1`: parts are separated by spaces or commas. What begins
 * with `metadata.`, `spec.`, `status.` or `involvedObject.` and has no slash is a field, other pairs are labels.
 */
export function parseFilter(text: string): Filter {
  const labels: string[] = [];
  const fields: string[] = [];
  const words: string[] = [];
  const rest = text.replace(/(^|\s)(-l|--selector|--field-selector)[\s=]/g, " ").replace(SET, (_, key, operator, values) => {
    labels.push(`${key} ${operator} (${values.split(",").map((value: string) => value.trim()).join(",")})`);
    return " ";
  });
  for (const part of rest.split(/[\s,]+/).filter(Boolean)) {
    const pair = PAIR.exec(part.replace(/^['"]|['"]$/g, ""));
    if (pair && /^(metadata|spec|status|involvedObject)\.[^/]*$/.test(pair[1])) fields.push(pair[0]);
    else if (pair) labels.push(pair[0]);
    else if (/^![\w./-]+$/.test(part)) labels.push(part);
    else words.push(part.toLowerCase());
  }
  return { labels: labels.join(","), fields: fields.join(","), words };
}

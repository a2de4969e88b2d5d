// Any kind's list: the server's own columns, live, filtered by kubectl's selectors.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { kubectlName, type Kind } from "../lib/kinds";
import { may } from "../lib/rights";
import { Table, MAX_ROWS, type Row } from "../lib/table";
import { age, now, span } from "../lib/time";
import { go, namespace, opened, openObject, param } from "../lib/url";
import { creating, plain } from "../parts/shell";
import { Empty, Kubectl, plural, State, Waiting } from "../parts/ui";
import { parseFilter, type Filter } from "../lib/filter";

const ROW_PX = 34;
/** Rows drawn above and below what is seen. */
const SPARE = 8;
/** Columns that hold more, or less, than most. */
const WIDTHS: Record<string, string> = {
  Name: "minmax(220px, 3fr)",
  Message: "minmax(280px, 5fr)",
  Object: "minmax(160px, 2.4fr)",
  Type: "minmax(76px, 0.8fr)",
  "Last Seen": "minmax(76px, 0.8fr)",
};
const STATES = new Set(["Status", "STATUS", "Phase"]);

export function KindPage({ kind }: { kind: Kind }) {
  const text = param("q");
  const filter = parseFilter(text);
  const space = kind.namespaced ? namespace.value : "";
  const [table, setTable] = useState<Table | null>(null);
  const key = [space, filter.labels, filter.fields].join("\n");
  useEffect(() => {
    const query = new URLSearchParams();
    if (filter.labels) query.set("labelSelector", filter.labels);
    if (filter.fields) query.set("fieldSelector", filter.fields);
    const made = new Table(kind, space, query);
    setTable(made);
    return () => made.close();
  }, [key]);
  return table && <List key={key} kind={kind} space={space} text={text} filter={filter} table={table} />;
}

interface Props {
  kind: Kind;
  space: string;
  text: string;
  filter: Filter;
  table: Table;
}
function List({ kind, space, text, filter, table }: Props) {
  const { state, error, since, rows } = table;
  const shown = rows.value.length;
  return (
    <>
      <div class="head">
        <h1>{plain(kind.kind)}</h1>
        <span class="dim num" data-count={shown}>
          {plural(shown, "object")}
          {kind.namespaced && !space ? " in all namespaces" : ""}
        </span>
        <span class="grow" />
        <FilterBox value={text} />
        {kind.verbs.includes("create") && may("create", kind, space) && (
          <button class="button" onClick={() => (creating.value = true)}>
            + Create
          </button>
        )}
      </div>
      <div class="body">
        {state.value === "loading" && !rows.value.length ? (
          <Waiting what={plain(kind.kind).toLowerCase()} since={since.value} />
        ) : error.value && !rows.value.length ? (
          <Empty title="This list cannot be shown">
            <span class="notice bad">{error.value}</span>
          </Empty>
        ) : (
          <Grid kind={kind} table={table} words={filter.words} isWide={!space && kind.namespaced} />
        )}
      </div>
      <div class="foot">
        {state.value === "live" ? (
          <span class="num">live at revision {table.revision.value}</span>
        ) : (
          <span role="alert">
            frozen {span(now.value - since.value)} ago: {error.value}
          </span>
        )}
        {table.isCut.value && <span>the first {MAX_ROWS.toLocaleString("en")}; a selector shows others</span>}
        <span class="grow" />
        <Kubectl line={listLine(kind, space, filter)} />
      </div>
    </>
  );
}

function listLine(kind: Kind, space: string, filter: Filter) {
  const name = kubectlName({ ...kind, singular: kind.plural }, { kind: "", namespace: "", name: "" }).replace(/\/$/, "");
  return (
    `kubectl get ${name}` +
    (kind.namespaced ? (space ? ` -n ${space}` : " -A") : "") +
    (filter.labels ? ` -l '${filter.labels}'` : "") +
    (filter.fields ? ` --field-selector '${filter.fields}'` : "") +
    " -w"
  );
}

function FilterBox({ value }: { value: string }) {
  const timer = useRef(0);
  return (
    <input
      class="field filter"
      type="search"
      value={value}
      spellcheck={false}
      aria-label="Filter"
      placeholder="app=web, tier!=db, status.phase=Running, or a name"
      title="Selectors as kubectl writes them; other words are looked for in the rows"
      onInput={(event) => {
        const text = event.currentTarget.value;
        clearTimeout(timer.current);
        timer.current = window.setTimeout(() => go(null, { q: text }, true), 250);
      }}
    />
  );
}

function Grid({ kind, table, words, isWide }: { kind: Kind; table: Table; words: string[]; isWide: boolean }) {
  const scroll = useSignal(0);
  const height = useSignal(600);
  const sort = useSignal<{ column: number; down: boolean } | null>(null);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const observer = new ResizeObserver(() => (height.value = box.current?.clientHeight ?? 600));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  const columns = table.columns.value.map((column, index) => ({ ...column, index })).filter((column) => column.priority === 0);
  const wanted = words.join(" ");
  const all = table.rows.value;
  const rows = useMemo(() => order(all, sort.value, table, wanted), [all, sort.value, wanted]);
  const first = Math.max(0, Math.floor(scroll.value / ROW_PX) - SPARE);
  const last = Math.min(rows.length, Math.ceil((scroll.value + height.value) / ROW_PX) + SPARE);
  const template =
    (isWide ? "minmax(110px, 1fr) " : "") +
    columns.map((c) => WIDTHS[c.name] ?? "minmax(88px, 1.2fr)").join(" ");
  const open = (row: Row) =>
    openObject({ kind: kind.id, namespace: row.object.metadata.namespace ?? "", name: row.object.metadata.name });
  const here = opened.value;
  const isOpen = (row: Row) =>
    here?.kind === kind.id && here.name === row.object.metadata.name && here.namespace === (row.object.metadata.namespace ?? "");
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !rows.length) return;
    event.preventDefault();
    const next = Math.min(rows.length - 1, Math.max(0, rows.findIndex(isOpen) + step));
    open(rows[next]);
    const top = next * ROW_PX;
    const view = box.current!;
    if (top < view.scrollTop) view.scrollTop = top;
    if (top + ROW_PX * 3 > view.scrollTop + view.clientHeight) view.scrollTop = top + ROW_PX * 3 - view.clientHeight;
  };
  return (
    <div
      class="table"
      role="grid"
      aria-rowcount={rows.length}
      tabIndex={0}
      ref={box}
      onKeyDown={onKey}
      onScroll={(event) => (scroll.value = event.currentTarget.scrollTop)}
    >
      <div class="tr th" role="row" style={{ gridTemplateColumns: template }}>
        {isWide && <span role="columnheader">Namespace</span>}
        {columns.map((column) => (
          <div
            key={column.name}
            role="columnheader"
            aria-sort={sort.value?.column !== column.index ? "none" : sort.value.down ? "descending" : "ascending"}
          >
            <button
              title={column.description}
              onClick={() =>
                (sort.value = { column: column.index, down: sort.value?.column === column.index && !sort.value.down })
              }
            >
              {column.name}
              {sort.value?.column === column.index ? (sort.value.down ? " ↓" : " ↑") : ""}
            </button>
          </div>
        ))}
      </div>
      <div style={{ height: `${rows.length * ROW_PX}px`, position: "relative" }}>
        {rows.slice(first, last).map((row, index) => (
          <div
            key={row.object.metadata.uid}
            class={"tr td-row" + (Date.now() - row.changed < 1000 ? " flash" : "")}
            role="row"
            aria-selected={isOpen(row)}
            data-name={row.object.metadata.name}
            style={{ gridTemplateColumns: template, top: `${(first + index) * ROW_PX}px` }}
            onClick={() => open(row)}
          >
            {isWide && <span class="dim">{row.object.metadata.namespace}</span>}
            {columns.map((column) => (
              <Cell key={column.name} name={column.name} value={row.cells[column.index]} row={row} />
            ))}
          </div>
        ))}
      </div>
      {!rows.length && (
        <Empty title={words.length ? "Nothing fits the filter" : `No ${plain(kind.kind).toLowerCase()} here yet`}>
          <span>{words.length ? "Rows that contain these words appear here." : "They appear here as soon as there are any."}</span>
        </Empty>
      )}
    </div>
  );
}

function Cell({ name, value, row }: { name: string; value: any; row: Row }) {
  if (name === "Age") return <span class="dim num">{age(row.object.metadata.creationTimestamp)}</span>;
  if (name === "Name") return <span title={String(value)}>{value}</span>;
  if (STATES.has(name) && typeof value === "string") return <State word={value} />;
  const text = value === null || value === undefined || value === "" ? "–" : String(value);
  return (
    <span class="dim num" title={text}>
      {text}
    </span>
  );
}

const collator = new Intl.Collator("en", { numeric: true });
function order(rows: Row[], sort: { column: number; down: boolean } | null, table: Table, words: string): Row[] {
  let found = rows;
  if (words) {
    const all = words.split(" ");
    found = rows.filter((row) => {
      const text = (row.cells.join(" ") + " " + (row.object.metadata.namespace ?? "")).toLowerCase();
      return all.every((word) => text.includes(word));
    });
  }
  const isAge = sort && table.columns.value[sort.column]?.name === "Age";
  // What happened last is what one looks for among events; others stand by name.
  const isHistory = !sort && table.columns.value[0]?.name === "Last Seen";
  const key = (row: Row) =>
    isHistory ? row.object.metadata.creationTimestamp : !sort ? (row.object.metadata.namespace ?? "") + "/" + row.object.metadata.name : isAge ? row.object.metadata.creationTimestamp : row.cells[sort.column];
  const sign = sort?.down || isHistory ? -1 : 1;
  return [...found].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return sign * (typeof x === "number" && typeof y === "number" ? x - y : collator.compare(String(x ?? ""), String(y ?? "")));
  });
}

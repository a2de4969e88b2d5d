// The events of one object, newest first.
import { useEffect, useState } from "preact/hooks";
import { FollowedList } from "../lib/object";
import { age } from "../lib/time";
import { Empty } from "./ui";

export function Events({ object }: { object: any }) {
  const { namespace, uid } = object.metadata;
  const [list, setList] = useState<FollowedList | null>(null);
  useEffect(() => {
    const path = namespace ? `/api/v1/namespaces/${namespace}/events` : "/api/v1/events";
    const made = new FollowedList(path, { fieldSelector: "involvedObject.uid=" + uid });
    setList(made);
    return () => made.close();
  }, [uid]);
  if (!list) return null;
  const when = (event: any) => event.lastTimestamp ?? event.series?.lastObservedTime ?? event.eventTime ?? event.metadata.creationTimestamp;
  const events = [...list.items.value].sort((a, b) => (when(a) < when(b) ? 1 : -1));
  if (list.error.value) return <div class="notice bad">{list.error.value}</div>;
  if (!events.length)
    return <Empty title={list.ready.value ? "No events in the last hour" : "Waiting for events"}>{list.ready.value && <span>Events are kept for an hour.</span>}</Empty>;
  return (
    <table class="plain">
      <thead>
        <tr>
          <th>Reason</th>
          <th>Message</th>
          <th class="right">Seen</th>
        </tr>
      </thead>
      <tbody>
        {events.map((event) => (
          <tr key={event.metadata.uid}>
            <td>
              <span class="state">
                <span class={"dot " + (event.type === "Warning" ? "warn" : "good")} /> {event.reason}
              </span>
            </td>
            <td class="dim">{event.message ?? event.note}</td>
            <td class="faint num right" title={event.source?.component ?? event.reportingComponent}>
              {age(when(event))}
              {event.count > 1 && ` ×${event.count}`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

import "./complete";
import "./matrix";

/** Moments stand on a page in UTC: show them in the reader's own zone, and in UTC to whoever points at one. */
const format = new Intl.DateTimeFormat("en-CA", {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
  timeZoneName: "short",
});

for (const element of document.querySelectorAll("time")) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.getTime())) continue;
  const parts = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
  element.title = element.textContent;
  element.textContent =
    `${parts["year"]}-${parts["month"]}-${parts["day"]} ` +
    `${parts["hour"]}:${parts["minute"]}:${parts["second"]} ${parts["timeZoneName"]}`;
}

/**
 * Proposes how a spec that is being typed may go on, from what was reported, and says beside it what it asks for so far.
 * The proposals are the options of the list that the input has without a script, too.
 */
interface Completion {
  text: string;
  word: string;
}
interface Answer {
  completions: Completion[];
  understood: string[];
  problem: string | null;
}

const WAIT_MILLISECONDS = 120;

function propose(list: HTMLElement, completions: Completion[]): void {
  list.replaceChildren(
    ...completions.map(({ text, word }) => {
      const option = document.createElement("option");
      option.value = text;
      option.label = word;
      return option;
    }),
  );
}

function completeAsTyped(input: HTMLInputElement): void {
  const list = input.list;
  const told = document.getElementById(input.getAttribute("aria-describedby") ?? "");
  if (list === null) return;
  let timer = 0;
  let asked = 0;
  const ask = async (): Promise<void> => {
    const turn = ++asked;
    const answer = await fetch(`/complete?${new URLSearchParams({ spec: input.value }).toString()}`);
    if (!answer.ok || turn !== asked) return;
    const { completions, understood, problem } = (await answer.json()) as Answer;
    propose(list, completions);
    if (told !== null) told.textContent = problem ?? (understood.length > 0 ? `Builds of ${understood.join("; ")}` : "");
  };
  input.addEventListener("input", () => {
    window.clearTimeout(timer);
    // What is away is no reason to disturb who types: the list stays as it was.
    timer = window.setTimeout(() => void ask().catch(() => undefined), WAIT_MILLISECONDS);
  });
}

for (const input of document.querySelectorAll<HTMLInputElement>("input[data-completes]")) completeAsTyped(input);

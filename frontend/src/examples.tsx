/** A menu of real questions at the side of the editor: those of the project's examples/ folder. */
import { pick, useGraphiQL, type GraphiQLPlugin } from "@graphiql/react";

/** Put in by the build. */
declare const EXAMPLES: readonly { readonly sentence: string; readonly query: string }[];

function Icon() {
  return (
    <svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" strokeWidth="1.5">
      <path d="M4 5h16v11H10l-4 4v-4H4z" />
      <path d="M10 8.6a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6.9v.4M12 13.8v.1" />
    </svg>
  );
}

function Examples() {
  const { queryEditor, variableEditor } = useGraphiQL(pick("queryEditor", "variableEditor"));

  function open(query: string): void {
    const model = queryEditor?.getModel();
    if (!queryEditor || !model) return;
    // An edit like any other, so that Ctrl-Z brings back what stood there.
    queryEditor.pushUndoStop();
    queryEditor.executeEdits("examples", [{ range: model.getFullModelRange(), text: query }]);
    queryEditor.pushUndoStop();
    queryEditor.setScrollTop(0);
    variableEditor?.setValue("");
    queryEditor.focus();
  }

  return (
    <section aria-label="Examples" className="examples">
      <h2>Examples</h2>
      <ul>
        {EXAMPLES.map(({ sentence, query }) => (
          <li key={sentence}>
            <button type="button" onClick={() => open(query)}>
              {sentence}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export const EXAMPLES_PLUGIN: GraphiQLPlugin = { title: "Examples", icon: Icon, content: Examples };

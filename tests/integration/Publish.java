import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;

/** Publishes an event twice and looks it up, with the JDK's own client and its defaults: it offers HTTP/2 by an upgrade. */
public class Publish {
    public static void main(String[] arguments) throws Exception {
        var client = HttpClient.newHttpClient();
        var event = HttpRequest.BodyPublishers.ofFile(Path.of(System.getenv("EVENT")));
        var publish = request(arguments[0] + "/v1/events").header("Content-Type", "application/cloudevents+json");
        for (int i = 0; i < 2; i++) {
            System.out.println(client.send(publish.POST(event).build(), HttpResponse.BodyHandlers.ofString()).statusCode());
        }
        var look = request(arguments[0] + "/v1/organisations").GET().build();
        System.out.println(client.send(look, HttpResponse.BodyHandlers.ofString()).statusCode());
    }

    private static HttpRequest.Builder request(String url) {
        return HttpRequest.newBuilder(URI.create(url)).header("Authorization", System.getenv("TOKEN"));
    }
}
